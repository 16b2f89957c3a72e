//! A look at a shared library before the dynamic linker gets it.
//!
//! `dlopen` on a truncated file can end the process with SIGBUS, and on anything else it gives messages that
//! say little. Headers are enough to recognise such files.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
const ET_DYN: u16 = 3;
const PT_LOAD: u32 = 1;

/// `e_machine` of the processor this code was compiled for; 0 where it is not known (then it is not checked).
const MACHINE: u16 = if cfg!(target_arch = "x86_64") {
    62
} else if cfg!(target_arch = "aarch64") {
    183
} else if cfg!(target_arch = "riscv64") {
    243
} else {
    0
};

/// Says why `path` cannot be a shared library for this process.
///
/// Passing is no promise that `dlopen` succeeds, only that the file is whole and for this machine.
pub(crate) fn check_shared_library(path: &Path) -> Result<(), String> {
    if cfg!(not(all(target_os = "linux", target_pointer_width = "64", target_endian = "little"))) {
        return Ok(());
    }
    let read = |e: std::io::Error| format!("cannot be read: {e}");
    let mut file = File::open(path).map_err(read)?;
    let length = file.metadata().map_err(read)?.len();
    if length == 0 {
        return Err("is empty".into());
    }
    let mut header = [0_u8; HEADER];
    if file.read_exact(&mut header).is_err() || !header.starts_with(b"\x7fELF") {
        return Err("is no shared library".into());
    }
    if header[4] != 2 || header[5] != 1 || (MACHINE != 0 && u16_at(&header, 18) != Some(MACHINE)) {
        return Err("is for another kind of machine".into());
    }
    if u16_at(&header, 16) != Some(ET_DYN) {
        return Err("is no shared library".into());
    }
    let count = usize::from(u16_at(&header, 56).unwrap_or(0));
    if u16_at(&header, 54).map(usize::from) != Some(PROGRAM_HEADER) || count == 0 {
        return Err("has a damaged header".into());
    }
    let at = u64_at(&header, 32).filter(|&at| at < length).ok_or("is truncated")?;
    file.seek(SeekFrom::Start(at)).map_err(read)?;
    let mut table = vec![0_u8; count * PROGRAM_HEADER];
    file.read_exact(&mut table).map_err(|_| String::from("is truncated"))?;
    for entry in table.chunks_exact(PROGRAM_HEADER) {
        let end = u64_at(entry, 8).zip(u64_at(entry, 32)).and_then(|(at, size)| at.checked_add(size));
        if u32_at(entry, 0) == Some(PT_LOAD) && end.is_none_or(|end| end > length) {
            return Err("is truncated".into());
        }
    }
    Ok(())
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(bytes: &[u8]) -> Result<(), String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lib.so");
        std::fs::write(&path, bytes).unwrap();
        check_shared_library(&path)
    }

    /// Header and one PT_LOAD that ends at `end`.
    fn library(end: u64) -> Vec<u8> {
        let mut bytes = vec![0_u8; 256];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[16] = 3;
        bytes[18..20].copy_from_slice(&MACHINE.to_le_bytes());
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = 1;
        bytes[64] = 1;
        bytes[64 + 32..64 + 40].copy_from_slice(&end.to_le_bytes());
        bytes
    }

    #[test]
    fn tells_whole_from_damaged() {
        assert_eq!(verdict(&library(256)), Ok(()));
        let with = |at: usize, value: u8| {
            let mut bytes = library(256);
            bytes[at] = value;
            verdict(&bytes).unwrap_err()
        };
        assert_eq!(verdict(b""), Err("is empty".into()));
        assert_eq!(verdict(b"/* GNU ld script */ INPUT(x.so)"), Err("is no shared library".into()));
        assert_eq!(verdict(&library(256)[..63]), Err("is no shared library".into()));
        assert_eq!(verdict(&library(257)), Err("is truncated".into()));
        assert_eq!(verdict(&library(u64::MAX)), Err("is truncated".into()));
        assert_eq!(verdict(&library(256)[..100]), Err("is truncated".into()));
        assert_eq!(with(4, 1), "is for another kind of machine");
        assert_eq!(with(18, 8), "is for another kind of machine");
        assert_eq!(with(16, 1), "is no shared library");
        assert_eq!(with(54, 1), "has a damaged header");
        assert_eq!(with(39, 0x7f), "is truncated");
        assert!(check_shared_library(Path::new("/no/such/file")).is_err());
    }
}
