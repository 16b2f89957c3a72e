//! Names from outside, as they may be shown and written down.

use std::borrow::Cow;

/// Whether a name has a scheme, as `rtsp://host/path`.
pub fn is_uri(name: &str) -> bool {
    let scheme = name.split_once("://").map(|s| s.0);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    scheme.is_some_and(|s| s.starts_with(|c: char| c.is_ascii_alphabetic()) && s.chars().all(plain))
}

/// The name as it may be written down: a URI without user and password.
pub fn without_password(name: &str) -> String {
    match name.split_once("://").filter(|_| is_uri(name)) {
        Some((scheme, rest)) => {
            let (place, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
            let host = place.rsplit_once('@').map_or(place, |p| p.1);
            format!("{scheme}://{host}{path}")
        }
        None => name.to_owned(),
    }
}

/// Characters that would move a cursor, break a document or turn the writing round, replaced.
pub fn printable(text: &str) -> Cow<'_, str> {
    let turning =
        |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}');
    let harmful = |c: char| c.is_control() || turning(c);
    if text.chars().any(harmful) {
        text.chars().map(|c| if harmful(c) { '\u{fffd}' } else { c }).collect()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_password_is_not_written_down() {
        assert_eq!(without_password("rtsp://me:se@cret@host:554/live?x=a@b"), "rtsp://host:554/live?x=a@b");
        assert_eq!(without_password("rtsp://host/live"), "rtsp://host/live");
        assert_eq!(without_password("a@b.mp4"), "a@b.mp4");
        assert!(is_uri("file:///x") && !is_uri("x/y://z") && !is_uri("://z") && !is_uri("c:\\x"));
    }

    #[test]
    fn control_characters_are_replaced() {
        assert_eq!(printable("a\x1b[2Jb\n\u{202e}4pm."), "a\u{fffd}[2Jb\u{fffd}\u{fffd}4pm.");
        assert!(matches!(printable("<b> \u{e9}.mp4"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn no_user_is_left_in_a_uri(user in "[a-z@:]{1,8}", host in "[a-z]{1,8}") {
            prop_assert_eq!(without_password(&format!("rtsp://{user}@{host}/")), format!("rtsp://{host}/"));
        }
    }
}
