//! Names of plain enums, as they stand in metadata, messages and JSON.

/// Names of a plain enum's values, for metadata, messages and JSON.
macro_rules! names {
    ($t:ty { $($v:ident => $s:literal),+ $(,)? }) => {
        impl $t {
            /// All values, in declaration order.
            pub const ALL: &'static [$t] = &[$(<$t>::$v),+];
            /// The name used in metadata, messages and JSON.
            pub const fn name(self) -> &'static str {
                match self { $(<$t>::$v => $s),+ }
            }
            /// The value of that name, if there is one.
            pub fn from_name(name: &str) -> Option<$t> {
                match name { $($s => Some(<$t>::$v),)+ _ => None }
            }
        }
        impl std::fmt::Display for $t {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}
pub(crate) use names;
