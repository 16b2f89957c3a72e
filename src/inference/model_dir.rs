//! Where the models are: a directory with a `manifest.toml`.

use std::path::{Path, PathBuf};

use super::error::{Error, ErrorKind};
use super::manifest::{FILE_NAME, Manifest};

/// Environment variable that names the model directory.
pub const ENV_VAR: &str = "DEEPFAKE_MODEL_DIR";

const SHARE: &str = "gst-plugin-deepfake/models";

/// Finds the model directory and reads its manifest.
///
/// The first of these that applies: `explicit`; the environment variable [`ENV_VAR`]; the first of
/// `candidates` that holds a manifest; `gst-plugin-deepfake/models` in the user's data directory
/// (`$XDG_DATA_HOME`, else `~/.local/share`), in `/usr/local/share` and in `/usr/share`. A directory that was
/// named (the first two) must hold a manifest: no other is tried in its stead.
///
/// # Errors
/// `ManifestMissing`, listing what was tried, or `ManifestInvalid`.
pub fn find(explicit: Option<&Path>, candidates: &[PathBuf]) -> Result<Manifest, Error> {
    let var = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let data_home = var("XDG_DATA_HOME")
        .filter(|p| p.is_absolute())
        .or_else(|| var("HOME").map(|home| home.join(".local/share")));
    let mut places = candidates.to_vec();
    let shares = data_home.into_iter().chain(["/usr/local/share".into(), "/usr/share".into()]);
    places.extend(shares.map(|share| share.join(SHARE)));
    find_among(explicit, var(ENV_VAR).as_deref(), &places)
}

fn find_among(explicit: Option<&Path>, env: Option<&Path>, places: &[PathBuf]) -> Result<Manifest, Error> {
    if let Some(dir) = explicit.or(env) {
        return Manifest::load(dir);
    }
    // A manifest that exists but is bad stops the search: a good one further down would hide the fault.
    match places.iter().find(|dir| dir.join(FILE_NAME).exists()) {
        Some(dir) => Manifest::load(dir),
        None => {
            let tried: Vec<_> = places.iter().map(|p| format!("`{}`", p.display())).collect();
            let what = format!("no model directory (one with a `{FILE_NAME}`); tried {}", tried.join(", "));
            Err(Error::new(ErrorKind::ManifestMissing, what))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir_with(text: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE_NAME), text).unwrap();
        dir
    }

    #[test]
    fn order_of_the_search() {
        let (a, b, c) = (dir_with("schema = 1"), dir_with("schema = 1"), dir_with("schema = 1"));
        let empty = tempfile::tempdir().unwrap();
        let places = [empty.path().to_path_buf(), c.path().to_path_buf()];
        let found = |explicit, env| find_among(explicit, env, &places).unwrap().dir().to_path_buf();
        assert_eq!(found(Some(a.path()), Some(b.path())), a.path());
        assert_eq!(found(None, Some(b.path())), b.path());
        assert_eq!(found(None, None), c.path());
    }

    #[test]
    fn a_named_directory_is_not_replaced_by_another() {
        let good = dir_with("schema = 1");
        let empty = tempfile::tempdir().unwrap();
        let places = [good.path().to_path_buf()];
        for (explicit, env) in [(Some(empty.path()), None), (None, Some(empty.path()))] {
            let e = find_among(explicit, env, &places).unwrap_err();
            assert_eq!(e.kind(), ErrorKind::ManifestMissing);
            assert!(e.to_string().contains(&empty.path().display().to_string()), "{e}");
        }
    }

    #[test]
    fn a_bad_manifest_stops_the_search() {
        let (bad, good) = (dir_with("schema = 7"), dir_with("schema = 1"));
        let places = [bad.path().to_path_buf(), good.path().to_path_buf()];
        assert_eq!(find_among(None, None, &places).unwrap_err().kind(), ErrorKind::ManifestInvalid);
    }

    #[test]
    fn the_error_lists_what_was_tried() {
        let e = find_among(None, None, &["/no/such/a".into(), "/no/such/b".into()]).unwrap_err();
        let line = e.to_string();
        assert!(line.contains("`/no/such/a`, `/no/such/b`") && line.contains("make models"), "{line}");
    }
}
