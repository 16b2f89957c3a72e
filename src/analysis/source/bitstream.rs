//! Marks that encoders and programs leave in what they make: SEI messages of H.264 and H.265, tags of containers.
//!
//! Payload type 5, `user_data_unregistered` (ITU-T H.264 and H.265, annex D): a UUID and free bytes, where x264 and
//! x265 write their options and others their names. A camera's own encoder writes no such text; a program that wants
//! to hide removes it. All input is outside input: lengths are checked, texts are short and printable.

use crate::analysis::evidence::names;
use crate::analysis::source::provenance::{Class, Finding};
use serde::{Deserialize, Serialize};

/// Bytes of an access unit that are looked at: these messages stand before the first slice.
const MAX_BYTES: usize = 256 * 1024;
/// Bytes of one message that are read, marks that are kept, characters of a mark's text.
const MAX_MESSAGE: usize = 4096;
pub const MAX_MARKS: usize = 8;
pub const MAX_TEXT: usize = 96;
/// The check's name.
const CHECK: &str = "encoder-mark";

/// What kind of maker a mark names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Maker {
    /// A chip's encoder. Cameras have one, and so have computers.
    Hardware,
    /// A manufacturer's signature of its frames, not checked here.
    Signed,
    /// An encoder in software.
    Encoder,
    /// The libraries of FFmpeg, which write, convert and play files.
    Libav,
    /// A program that mixes and passes on pictures as they happen (OBS and its like).
    Studio,
    /// A program that makes recordings out of recordings.
    Editor,
}
names!(Maker {
    Hardware => "hardware", Signed => "signed", Encoder => "encoder",
    Libav => "libav", Studio => "studio", Editor => "editor",
});

/// A mark, with the text that shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub maker: Maker,
    pub text: String,
}

/// Texts that name a maker, in lower case. The first that fits counts, so what is specific comes first.
const TEXTS: [(&str, Maker); 34] = [
    ("handbrake", Maker::Editor),
    ("premiere", Maker::Editor),
    ("after effects", Maker::Editor),
    ("final cut", Maker::Editor),
    ("davinci", Maker::Editor),
    ("camtasia", Maker::Editor),
    ("capcut", Maker::Editor),
    ("shotcut", Maker::Editor),
    ("kdenlive", Maker::Editor),
    ("zencoder", Maker::Editor),
    ("youtube", Maker::Editor),
    ("obs-studio", Maker::Studio),
    ("obs studio", Maker::Studio),
    ("obs-output", Maker::Studio),
    ("libobs", Maker::Studio),
    ("streamlabs", Maker::Studio),
    ("manycam", Maker::Studio),
    ("xsplit", Maker::Studio),
    ("vmix", Maker::Studio),
    ("wirecast", Maker::Studio),
    ("x264", Maker::Encoder),
    ("x265", Maker::Encoder),
    ("openh264", Maker::Encoder),
    ("kvazaar", Maker::Encoder),
    ("mainconcept", Maker::Encoder),
    ("libvpx", Maker::Encoder),
    ("svt-", Maker::Encoder),
    ("lavf", Maker::Libav),
    ("lavc", Maker::Libav),
    ("ffmpeg", Maker::Libav),
    ("libav", Maker::Libav),
    ("videotoolbox", Maker::Hardware),
    ("nvenc", Maker::Hardware),
    ("vaapi", Maker::Hardware),
];

/// UUIDs that name a maker without a text.
const UUIDS: [(&[u8; 16], Maker, &str); 3] = [
    (b"\xdc\x45\xe9\xbd\xe6\xd9\x48\xb7\x96\x2c\xd8\x20\xd9\x23\xee\xef", Maker::Encoder, "x264"),
    (b"\x2c\xa2\xde\x09\xb5\x17\x47\xdb\xbb\x55\xa4\xfe\x7f\xc2\xfc\x4e", Maker::Encoder, "x265"),
    (b"Signed Video...0", Maker::Signed, "signed video"),
];

/// Printable ASCII only, blanks joined, no longer than [`MAX_TEXT`].
fn clean(bytes: &[u8]) -> String {
    let mut text = String::new();
    for b in bytes {
        let c = if b.is_ascii_graphic() { char::from(*b) } else { ' ' };
        if text.len() >= MAX_TEXT {
            break;
        }
        if c != ' ' || !(text.is_empty() || text.ends_with(' ')) {
            text.push(c);
        }
    }
    text.truncate(text.trim_end().len());
    text
}

/// The mark in a tag of a container or a session (`encoder`, `application-name`, SDP `tool`); none when nobody known
/// is named. Texts of any length and content are safe.
pub fn mark_of_tag(tag: &str) -> Option<Mark> {
    mark_of_bytes(tag.as_bytes())
}

fn mark_of_bytes(bytes: &[u8]) -> Option<Mark> {
    let bytes = bytes.get(..MAX_MESSAGE).unwrap_or(bytes);
    let lower = bytes.to_ascii_lowercase();
    let found = |needle: &str| lower.windows(needle.len()).position(|w| w == needle.as_bytes());
    let (at, maker) = TEXTS.iter().find_map(|(needle, maker)| Some((found(needle)?, *maker)))?;
    Some(Mark { maker, text: clean(bytes.get(at..)?) })
}

/// The marks in an access unit of H.264 or H.265, as a byte stream (start codes) or with lengths of four, two or one
/// bytes before its units. Bytes that are neither give none. At most [`MAX_MARKS`].
pub fn marks_in_access_unit(bytes: &[u8]) -> Vec<Mark> {
    let bytes = bytes.get(..MAX_BYTES).unwrap_or(bytes);
    let mut marks = Vec::new();
    if bytes.starts_with(&[0, 0, 1]) || bytes.starts_with(&[0, 0, 0, 1]) {
        by_start_codes(bytes, &mut marks);
    } else {
        for size in [4, 2, 1] {
            if by_lengths(bytes, size, &mut marks).is_some() {
                break;
            }
            marks.clear();
        }
    }
    marks
}

fn by_start_codes(bytes: &[u8], marks: &mut Vec<Mark>) {
    let mut begin = None;
    let mut i = 0;
    while let Some(rest) = bytes.get(i..) {
        let Some(found) = rest.windows(3).position(|w| w == [0, 0, 1]) else { break };
        if let Some(unit) = begin.and_then(|b| bytes.get(b..i + found)) {
            read_unit(unit, marks);
        }
        i += found + 3;
        begin = Some(i);
    }
    if let Some(unit) = begin.and_then(|b| bytes.get(b..)) {
        read_unit(unit, marks);
    }
}

/// `None` when the lengths do not add up; the last unit may be cut off by the limit on bytes.
fn by_lengths(mut bytes: &[u8], size: usize, marks: &mut Vec<Mark>) -> Option<()> {
    let cut = bytes.len() == MAX_BYTES;
    while !bytes.is_empty() {
        let (head, rest) = bytes.split_at_checked(size)?;
        let length = head.iter().fold(0usize, |n, b| n << 8 | usize::from(*b));
        if length == 0 || (length > rest.len() && !cut) {
            return None;
        }
        let (unit, rest) = rest.split_at(length.min(rest.len()));
        read_unit(unit, marks);
        bytes = rest;
    }
    Some(())
}

/// Reads a unit if it is one of SEI messages: type 6 of H.264, types 39 and 40 of H.265 (layer 0).
fn read_unit(unit: &[u8], marks: &mut Vec<Mark>) {
    let payload = match unit {
        [0x06, rest @ ..] => rest,
        [0x4e | 0x50, 0x01, rest @ ..] => rest,
        _ => return,
    };
    let mut message = Message { bytes: unescape(payload), at: 0 };
    while marks.len() < MAX_MARKS
        && let Some((kind, body)) = message.next()
    {
        if kind == 5
            && let Some((uuid, text)) = body.split_at_checked(16)
        {
            let known = UUIDS.iter().find(|(u, _, _)| u.as_slice() == uuid);
            let mark = mark_of_bytes(text)
                .or_else(|| known.map(|(_, maker, name)| Mark { maker: *maker, text: (*name).into() }));
            marks.extend(mark.filter(|m| !marks.contains(m)));
        }
    }
}

/// Without the bytes that keep start codes out of the payload (00 00 03).
fn unescape(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len().min(MAX_MESSAGE));
    let mut zeros = 0;
    for b in bytes {
        if out.len() >= MAX_MESSAGE {
            break;
        }
        if zeros >= 2 && *b == 3 {
            zeros = 0;
            continue;
        }
        zeros = if *b == 0 { zeros + 1 } else { 0 };
        out.push(*b);
    }
    out
}

struct Message {
    bytes: Vec<u8>,
    at: usize,
}

impl Message {
    /// A type or size: any number of bytes 255, then the rest.
    fn number(&mut self) -> Option<usize> {
        let mut n = 0usize;
        loop {
            let b = *self.bytes.get(self.at)?;
            self.at += 1;
            n += usize::from(b);
            if b != 255 {
                return Some(n);
            }
        }
    }

    /// The next message's type and body; a body that is cut off gives what is there.
    fn next(&mut self) -> Option<(usize, &[u8])> {
        // What is left may be the stop bit alone.
        if self.bytes.len().saturating_sub(self.at) < 3 {
            return None;
        }
        let kind = self.number()?;
        let size = self.number()?;
        let begin = self.at.min(self.bytes.len());
        self.at = begin.saturating_add(size).min(self.bytes.len());
        Some((kind, self.bytes.get(begin..self.at)?))
    }
}

/// What a mark says: the class it speaks of with its weight, and the evidence of injection against a camera and
/// against any other live claim, nats. By reasoning, not measured: no camera that we know of encodes with x264 or
/// writes FFmpeg's name, but honest senders over a network do both; editors make recordings only.
const fn meaning(maker: Maker) -> Option<(Class, f64, f64, f64)> {
    match maker {
        Maker::Hardware | Maker::Signed => None,
        Maker::Encoder => Some((Class::Physical, -2.5, 2.5, 0.0)),
        Maker::Libav => Some((Class::Physical, -2.5, 2.5, 0.3)),
        Maker::Studio => Some((Class::Virtual, 3.0, 3.0, 1.0)),
        Maker::Editor => Some((Class::File, 4.0, 3.5, 2.5)),
    }
}

/// The finding that follows from all marks seen; the strongest counts. `claim` is what the source says it is.
pub fn findings(marks: &[Mark], claim: Class) -> Vec<Finding> {
    let finding = match marks.iter().max_by_key(|m| m.maker) {
        None => Finding::nothing(CHECK, "no encoder has left its name"),
        Some(mark) => match meaning(mark.maker) {
            None => Finding::nothing(CHECK, format!("{}: {}", mark.maker, mark.text)),
            Some((class, weight, camera, other)) => {
                let nats = match claim {
                    Class::Physical => camera,
                    Class::File | Class::Synthetic => 0.0,
                    _ => other,
                };
                Finding::of(CHECK, class, weight, format!("made with \"{}\"", mark.text)).injected(nats)
            }
        },
    };
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const X264: &str = "x264 - core 164 r3095 baee400 - H.264/MPEG-4 AVC codec - Copyleft 2003-2022";

    /// A unit with one message of user data; `escape` puts emulation prevention bytes in.
    fn unit(head: &[u8], uuid: &[u8; 16], text: &[u8]) -> Vec<u8> {
        let mut body = vec![5u8];
        let size = 16 + text.len();
        body.extend(std::iter::repeat_n(255, size / 255));
        body.push((size % 255) as u8);
        body.extend(uuid);
        body.extend(text);
        body.push(0x80);
        let mut unit = head.to_vec();
        let mut zeros = 0;
        for b in body {
            if zeros >= 2 && b <= 3 {
                unit.push(3);
                zeros = 0;
            }
            zeros = if b == 0 { zeros + 1 } else { 0 };
            unit.push(b);
        }
        unit
    }

    fn framed(units: &[Vec<u8>], lengths: Option<usize>) -> Vec<u8> {
        let head = |u: &Vec<u8>| match lengths {
            None => vec![0, 0, 0, 1],
            Some(size) => u.len().to_be_bytes()[8 - size..].to_vec(),
        };
        units.iter().flat_map(|u| [head(u), u.clone()].concat()).collect()
    }

    #[test]
    fn x264_is_read_in_every_framing() {
        let units = [
            vec![0x67, 0x42, 0, 10, 1, 2, 3],
            unit(&[0x06], UUIDS[0].0, X264.as_bytes()),
            vec![0x65, 1, 2, 3, 0xff],
        ];
        for lengths in [None, Some(4), Some(2), Some(1)] {
            let marks = marks_in_access_unit(&framed(&units, lengths));
            assert_eq!(marks.len(), 1, "{lengths:?}");
            assert_eq!(marks[0].maker, Maker::Encoder);
            assert!(marks[0].text.starts_with("x264 - core 164"), "{marks:?}");
        }
    }

    #[test]
    fn h265_long_texts_and_zeros_inside() {
        let mut text = vec![0, 0, 1, 0, 0, 0, 7];
        text.extend([b' '; 600]);
        text.extend(b"Lavc59.37.100 libx26\x00\x01\x1b[31mred");
        let marks = marks_in_access_unit(&framed(&[unit(&[0x4e, 1], &[9; 16], &text)], None));
        assert_eq!(marks, [Mark { maker: Maker::Libav, text: "Lavc59.37.100 libx26 [31mred".into() }]);
    }

    #[test]
    fn a_uuid_without_a_text_is_enough() {
        let marks =
            marks_in_access_unit(&framed(&[unit(&[0x50, 1], UUIDS[2].0, b"\x01\x02\x00\x00")], Some(4)));
        assert_eq!(marks[0].maker, Maker::Signed);
        assert_eq!(findings(&marks, Class::Physical)[0].injection, 0.0);
    }

    #[test]
    fn tags_name_programs() {
        let maker = |tag| mark_of_tag(tag).map(|m| m.maker);
        assert_eq!(maker("Lavf58.29.100"), Some(Maker::Libav));
        assert_eq!(maker("HandBrake 1.6.1 2023012300"), Some(Maker::Editor));
        assert_eq!(maker("obs-output module (libobs version 29.1.3)"), Some(Maker::Studio));
        assert_eq!(maker("H.264 / AVC"), None);
        assert_eq!(mark_of_tag(&"x264 \u{7}".repeat(999)).unwrap().text.len(), MAX_TEXT);
    }

    #[test]
    fn what_a_mark_is_worth_depends_on_the_claim() {
        let marks = [mark_of_tag("x264 - core 164").unwrap()];
        let nats = |claim| findings(&marks, claim)[0].injection;
        assert_eq!((nats(Class::Physical), nats(Class::Network), nats(Class::File)), (2.5, 0.0, 0.0));
        let both = [marks[0].clone(), mark_of_tag("HandBrake").unwrap()];
        assert_eq!(findings(&both, Class::Network)[0].class, Some(Class::File));
    }

    proptest! {
        #[test]
        fn garbage_is_survived(mut bytes in prop::collection::vec(any::<u8>(), 0..2000), seed in any::<bool>()) {
            if seed {
                bytes.splice(0..0, framed(&[unit(&[0x06], UUIDS[0].0, X264.as_bytes())], None));
            }
            let marks = marks_in_access_unit(&bytes);
            prop_assert!(marks.len() <= MAX_MARKS && (!seed || !marks.is_empty()));
            for mark in marks {
                prop_assert!(mark.text.len() <= MAX_TEXT);
                prop_assert!(mark.text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()));
            }
        }

        #[test]
        fn damaged_units_are_survived(at in 0usize..120, bit in 0u8..8, cut in 0usize..140) {
            let mut bytes = framed(&[unit(&[0x06], UUIDS[0].0, X264.as_bytes())], Some(4));
            if let Some(b) = bytes.get_mut(at) {
                *b ^= 1 << bit;
            }
            bytes.truncate(cut);
            prop_assert!(marks_in_access_unit(&bytes).len() <= MAX_MARKS);
        }
    }
}
