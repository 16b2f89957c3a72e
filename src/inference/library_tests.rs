//! Tests of `library.rs`. Any shared library will do here: nothing is loaded.

use super::*;

/// The smallest file that passes for a shared library of this machine.
fn library_bytes(fill: u8) -> Vec<u8> {
    let exe = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let mut bytes = vec![fill; 256];
    bytes[..64].copy_from_slice(&exe[..64]); // class, byte order and machine of this process
    bytes[16] = 3;
    bytes[32..40].copy_from_slice(&64_u64.to_le_bytes());
    bytes[54] = 56;
    bytes[56..58].copy_from_slice(&1_u16.to_le_bytes());
    bytes[64..120].fill(0);
    bytes
}

fn manifest_for(dir: &Path, bytes: &[u8], size: usize) -> Manifest {
    let text = format!(
        "schema = 1\n[[library]]\nname = \"onnxruntime\"\nversion = \"1.2.3\"\narch = \"{}\"\nfile = \"lib.so\"\n\
         sha256 = \"{}\"\nsize = {size}\n",
        std::env::consts::ARCH,
        Digest::of(bytes)
    );
    Manifest::parse(dir, &text).unwrap()
}

#[test]
fn order_of_the_search() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = library_bytes(0);
    let put = |name: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &bytes).unwrap();
        path.canonicalize().unwrap()
    };
    let (a, b, m) = (put("a.so"), put("b.so"), put("lib.so"));
    put("system/libonnxruntime.so");
    put("system/libonnxruntime.so.1.9.0");
    put("system/libonnxruntime.so.1.x");
    put("system/libonnxruntime.sox");
    let newest = put("system/libonnxruntime.so.1.21");
    let manifest = manifest_for(dir.path(), &bytes, bytes.len());
    let dirs = [dir.path().join("nothing"), dir.path().join("system")];

    let found = |explicit, env, manifest| {
        let library = find_among(explicit, env, manifest, &dirs).unwrap();
        (library.path, library.origin)
    };
    assert_eq!(found(Some(&a), Some(&b), Some(&manifest)), (a.clone(), Origin::Explicit));
    assert_eq!(found(None, Some(&b), Some(&manifest)), (b.clone(), Origin::Environment));
    assert_eq!(found(None, None, Some(&manifest)), (m.clone(), Origin::Manifest));
    assert_eq!(found(None, None, None), (newest.clone(), Origin::System));
    std::fs::remove_file(&m).unwrap();
    assert_eq!(found(None, None, Some(&manifest)), (newest, Origin::System));

    let gone = dir.path().join("gone.so");
    let e = find_among(Some(&gone), None, Some(&manifest), &dirs).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::LibraryMissing);
    assert!(e.to_string().contains("gone.so") && e.to_string().contains("make models"), "{e}");
    let e = find_among(None, Some(&gone), None, &dirs).unwrap_err();
    assert!(e.to_string().contains(ENV_VAR), "{e}");
    let e = find_among(None, None, Some(&manifest), &dirs[..1]).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::LibraryMissing);
    assert!(e.to_string().contains("lib.so") && e.to_string().contains("nothing"), "{e}");
    let e = find_among(Some(dir.path()), None, None, &[]).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::LibraryCorrupt);
}

#[test]
fn the_manifests_library_must_be_the_manifests_file() {
    let dir = tempfile::tempdir().unwrap();
    let (good, bad) = (library_bytes(0), library_bytes(1));
    let path = dir.path().join("lib.so");
    std::fs::write(&path, &bad).unwrap();
    let manifest = manifest_for(dir.path(), &good, good.len());
    let e = find_among(None, None, Some(&manifest), &[]).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::LibraryCorrupt);
    assert!(e.to_string().contains("digest"), "{e}");

    let short = manifest_for(dir.path(), &good, good.len() + 1);
    let e = find_among(None, None, Some(&short), &[]).unwrap_err();
    assert!(e.to_string().contains("256 bytes"), "{e}");

    // Mended, with another time stamp: the verdict on the old file is not kept.
    std::fs::write(&path, &good).unwrap();
    let later = SystemTime::now() + std::time::Duration::from_secs(5);
    std::fs::File::open(&path).unwrap().set_modified(later).unwrap();
    assert!(find_among(None, None, Some(&manifest), &[]).is_ok());
}
