//! From what a user names to recordings: files, folders, manifests, URIs.

use super::display_names::without_password;
use super::error::Error;
use super::item::{Item, Source};
use super::manifest;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// What counts as a video file in a folder. A file that is named itself may be called anything.
const VIDEOS: [&str; 19] = [
    "3gp", "avi", "flv", "h264", "h265", "ivf", "m2ts", "m4v", "mjpeg", "mkv", "mov", "mp4", "mpeg", "mpg",
    "mts", "ogv", "ts", "webm", "wmv",
];

/// The recordings that `arguments` name, each once. A folder is walked (links to other folders are not followed), a
/// `.csv` file is a manifest, and what has a scheme is a URI.
///
/// # Errors
/// If a folder has no video files, or a manifest is wrong. A file that is not there is no error here: it fails alone.
pub fn items(arguments: &[OsString]) -> Result<Vec<Item>, Error> {
    let mut items = Vec::new();
    for argument in arguments {
        let path = Path::new(argument);
        let source = Source::named(argument, Path::new(""));
        if matches!(source, Source::Uri(_)) {
            items.push(item(source, &argument.to_string_lossy()));
        } else if path.is_dir() {
            let found = walk(path);
            if found.is_empty() {
                return Err(Error::NoVideo(path.into()));
            }
            items.extend(found);
        } else if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv")) {
            items.extend(manifest::read(path)?);
        } else {
            items.push(item(source, &argument.to_string_lossy()));
        }
    }
    let mut known = BTreeSet::new();
    items.retain(|i| known.insert(i.name.clone()));
    Ok(items)
}

fn item(source: Source, name: &str) -> Item {
    Item { name: without_password(name), source, label: None }
}

fn walk(folder: &Path) -> Vec<Item> {
    let entries = walkdir::WalkDir::new(folder).sort_by_file_name();
    let found = entries.into_iter().filter_map(|entry| match entry {
        Ok(e) => {
            let kind = e.path().extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
            let video = kind.is_some_and(|k| VIDEOS.contains(&k.as_str()));
            (video && e.path().is_file()).then(|| e.into_path())
        }
        // A place that cannot be read is a recording that fails: it must not go unnoticed.
        Err(e) => Some(e.path().unwrap_or(folder).to_path_buf()),
    });
    found.map(|path| item(Source::File(path.clone()), &path.to_string_lossy())).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::ffi::OsStringExt;

    #[test]
    fn folders_are_walked_and_files_taken_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("b");
        std::fs::create_dir(&inner).unwrap();
        for file in ["z.MP4", "notes.txt", "b/a.webm"] {
            std::fs::write(folder.path().join(file), b"").unwrap();
        }
        let found = items(&[folder.path().into(), folder.path().join("notes.txt").into()]).unwrap();
        let names: Vec<&str> = found.iter().map(|i| i.name.rsplit('/').next().unwrap()).collect();
        assert_eq!(names, ["a.webm", "z.MP4", "notes.txt"]);
        let twice = items(&[folder.path().into(), inner.join("a.webm").into()]).unwrap();
        assert_eq!(twice.len(), 2);
        std::fs::remove_file(inner.join("a.webm")).unwrap();
        assert!(matches!(items(&[inner.into()]), Err(Error::NoVideo(_))));
        assert_eq!(items(&["gone.mp4".into()]).unwrap().len(), 1);
    }

    proptest! {
        #[test]
        fn a_source_survives_its_journey(bytes in proptest::collection::vec(1u8..=255, 0..40)) {
            let source = Source::File(OsString::from_vec(bytes).into());
            let text = serde_json::to_string(&source).unwrap();
            prop_assert_eq!(serde_json::from_str::<Source>(&text).unwrap(), source);
        }
    }
}
