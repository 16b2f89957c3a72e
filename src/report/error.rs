//! Why a report could not be made, which is a mistake in this program.

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("a plot cannot be drawn: {0}")]
    Plot(String),
    #[error(transparent)]
    Template(#[from] minijinja::Error),
}

impl From<Error> for crate::batch::Error {
    fn from(error: Error) -> Self {
        Self::Report(Box::new(error))
    }
}
