//! What PipeWire says of the node behind a `pipewiresrc`: a device's, or another program's stream.

use super::identity::{clean, text_property};
use super::timed::Timed;
use crate::analysis::source::provenance::{Class, Finding};
use gstreamer as gst;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The check's name.
const CHECK: &str = "pipewire-node";
/// PipeWire's own tool: GStreamer's device provider (0.3.65) reads freed memory when the process has a stream of its own.
const TOOL: &str = "pw-dump";
/// What it writes is cut here, bytes.
const MAX_BYTES: u64 = 8 << 20;
/// How long it may take.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Properties of a node that are reported, and their names in a report.
const PROPERTIES: [(&str, &str); 9] = [
    ("node.name", "node-name"),
    ("node.description", "card"),
    ("media.class", "media-class"),
    ("media.role", "media-role"),
    ("device.api", "device-api"),
    ("client.api", "client-api"),
    ("object.path", "object-path"),
    ("object.serial", "serial"),
    ("api.v4l2.path", "v4l2-path"),
];

/// An object of PipeWire's, as far as it is of use here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Object {
    id: u64,
    #[serde(rename = "type")]
    kind: String,
    info: Option<Info>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Info {
    props: Map<String, Value>,
}

impl Object {
    fn text(&self, name: &str) -> Option<String> {
        match self.info.as_ref()?.props.get(name)? {
            Value::String(text) => Some(clean(text)),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }
}

/// Asks PipeWire for the node that the element reads. Takes up to two seconds: call it on a thread of its own.
pub fn node(element: &gst::Element) -> (BTreeMap<String, String>, Vec<Finding>) {
    let target = text_property(element, "target-object").or_else(|| text_property(element, "path"));
    match dump() {
        Ok(text) => look(&text, target.as_deref()),
        Err(reason) => (BTreeMap::new(), vec![Finding::not_readable(CHECK, reason)]),
    }
}

/// All objects as JSON.
fn dump() -> Result<Vec<u8>, String> {
    let child = Command::new(TOOL).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = child.map_err(|e| format!("{TOOL} (Debian package pipewire-bin) cannot be run: {e}"))?;
    let output = child.stdout.take();
    let read = Timed::run("deepfake-pw-dump", TIMEOUT, move || {
        let mut text = Vec::new();
        let read = output.map(|o| o.take(MAX_BYTES).read_to_end(&mut text));
        matches!(read, Some(Ok(_))).then_some(text)
    });
    // It has written everything, or its time is over; without it the pipe ends, and so does a reader that waits.
    let _ = child.kill();
    let _ = child.wait();
    match read {
        Ok(Some(text)) if !text.is_empty() => Ok(text),
        Ok(_) => Err(format!("{TOOL} reaches no PipeWire: is it running for this user?")),
        Err(error) => Err(format!("PipeWire: {error}")),
    }
}

/// Finds the node in the JSON of `pw-dump`, and weighs it.
pub fn look(json: &[u8], target: Option<&str>) -> (BTreeMap<String, String>, Vec<Finding>) {
    let Ok(objects) = serde_json::from_slice::<Vec<Object>>(json) else {
        let finding = Finding::not_readable(CHECK, format!("what {TOOL} says is not understood"));
        return (BTreeMap::new(), vec![finding]);
    };
    let sources: Vec<&Object> = objects
        .iter()
        .filter(|o| o.kind.ends_with(":Node"))
        .filter(|o| o.text("media.class").is_some_and(|c| c == "Video/Source" || c == "Stream/Output/Video"))
        .collect();
    let named = |o: &Object, target: &str| {
        o.id.to_string() == target
            || ["node.name", "object.path", "object.serial"]
                .iter()
                .any(|k| o.text(k).as_deref() == Some(target))
    };
    let chosen = match target {
        Some(target) => sources.iter().find(|o| named(o, target)),
        // Without a target the session manager chooses; a single candidate leaves no doubt.
        None => sources.first().filter(|_| sources.len() == 1),
    };
    let Some(chosen) = chosen else {
        let finding = match target {
            Some(target) => {
                let reason = format!("PipeWire lists no camera `{target}`: it is another program's stream");
                Finding::of(CHECK, Class::Virtual, 3.0, reason).injected(2.0)
            }
            None => {
                let reason =
                    format!("PipeWire chooses among {} cameras: name one with target-object", sources.len());
                Finding::nothing(CHECK, reason)
            }
        };
        return (BTreeMap::new(), vec![finding]);
    };
    let mut facts: BTreeMap<String, String> =
        PROPERTIES.iter().filter_map(|(from, to)| Some(((*to).to_owned(), chosen.text(from)?))).collect();
    // The client says who made the node.
    let client = chosen.text("client.id");
    let client = objects.iter().find(|o| o.kind.ends_with(":Client") && Some(o.id.to_string()) == client);
    facts.extend(client.and_then(|c| Some(("program".to_owned(), c.text("application.process.binary")?))));
    let finding = judge(&facts);
    (facts, vec![finding])
}

/// Programs that make the nodes of devices. A program may call itself so, too: the name only helps against the others.
const SESSION_MANAGERS: [&str; 3] = ["wireplumber", "pipewire-media-session", "pipewire"];

/// A node that a device's driver made names its API, and a session manager made it; a program's stream that calls itself
/// a camera does not, or says so itself.
fn judge(node: &BTreeMap<String, String>) -> Finding {
    let name = node.get("card").or_else(|| node.get("node-name")).map_or("?", String::as_str);
    let api = node.get("device-api").map(String::as_str);
    let stranger = node.get("program").filter(|p| !SESSION_MANAGERS.contains(&p.as_str()));
    if let (Some(api), Some(program)) = (api, stranger) {
        let reason = format!("`{name}` says that it is a node of {api} devices, and {program} made it");
        return Finding::of(CHECK, Class::Virtual, 5.0, reason).injected(4.0);
    }
    match api {
        Some(api @ ("v4l2" | "libcamera")) => {
            let reason = format!("`{name}` is a node of PipeWire's {api} devices");
            Finding::of(CHECK, Class::Physical, 1.0, reason)
        }
        Some(api) => Finding::nothing(CHECK, format!("`{name}` is a node of the unknown API {api}")),
        None => {
            let program = node.get("program").map_or(String::new(), |p| format!(" ({p})"));
            let reason = format!("`{name}` is a program's stream{program}, not a device's");
            Finding::of(CHECK, Class::Virtual, 5.0, reason).injected(4.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = r#"[
        {"id": 30, "type": "PipeWire:Interface:Core", "info": null},
        {"id": 35, "type": "PipeWire:Interface:Client", "info": {"props": {"application.process.binary": "obs"}}},
        {"id": 36, "type": "PipeWire:Interface:Node", "info": {"props": {"client.id": 35, "media.class": "Video/Source",
            "node.name": "cam", "node.description": "HD Webcam", "object.serial": 361}}},
        {"id": 40, "type": "PipeWire:Interface:Node", "info": {"props": {"media.class": "Stream/Input/Video"}}}
    ]"#;

    #[test]
    fn the_node_in_use_is_found_by_id_serial_or_name() {
        for target in [Some("36"), Some("361"), Some("cam"), None] {
            let (facts, findings) = look(DUMP.as_bytes(), target);
            assert_eq!(facts.get("program").map(String::as_str), Some("obs"), "{target:?}");
            assert_eq!(findings[0].class, Some(Class::Virtual));
        }
        let (facts, findings) = look(DUMP.as_bytes(), Some("40"));
        assert!(facts.is_empty() && findings[0].injection > 0.0, "a node that is no camera");
        let (_, findings) = look(b"[{\"id\": -1}]", None);
        assert_eq!(findings[0].outcome, crate::analysis::source::provenance::Outcome::NotReadable);
    }

    #[test]
    fn a_device_names_its_api_and_a_program_does_not() {
        let of = |fields: &[(&str, &str)]| {
            judge(&fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
        };
        assert_eq!(of(&[("device-api", "v4l2"), ("card", "Webcam")]).class, Some(Class::Physical));
        let program = of(&[("card", "HD Webcam"), ("program", "obs")]);
        assert_eq!(program.class, Some(Class::Virtual));
        assert!(program.injection > 0.0 && program.reason.contains("obs"));
        assert_eq!(of(&[("device-api", "new")]).weight, 0.0);
        let manager = of(&[("device-api", "v4l2"), ("program", "wireplumber")]);
        assert_eq!(manager.class, Some(Class::Physical));
        let forged = of(&[("device-api", "v4l2"), ("program", "gst-launch-1.0")]);
        assert!(forged.class == Some(Class::Virtual) && forged.injection > 0.0, "{forged:?}");
    }
}
