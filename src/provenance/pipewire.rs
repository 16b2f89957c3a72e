//! What PipeWire says of the node behind a `pipewiresrc`: a device's, or another program's stream.

use crate::analysis::provenance::{Class, Finding};
use gst::prelude::*;
use gstreamer as gst;
use std::collections::BTreeMap;

/// The factory of PipeWire's device provider.
const PROVIDER: &str = "pipewiredeviceprovider";
/// Properties of a node that are worth telling, and their names in a report.
const PROPERTIES: [(&str, &str); 9] = [
    ("node.name", "node-name"),
    ("node.description", "card"),
    ("media.class", "media-class"),
    ("media.role", "media-role"),
    ("device.api", "device-api"),
    ("client.api", "client-api"),
    ("object.path", "object-path"),
    ("api.v4l2.path", "v4l2-path"),
    ("application.process.binary", "program"),
];

/// Asks PipeWire's device provider for the node that the element reads. May block: call it on a thread of its own.
pub fn node(element: &gst::Element) -> (BTreeMap<String, String>, Vec<Finding>) {
    let target = super::identity::text_property(element, "target-object")
        .or_else(|| super::identity::text_property(element, "path"));
    let provider = gst::DeviceProviderFactory::find(PROVIDER).and_then(|f| f.get());
    let Some(provider) = provider else {
        let reason = format!("{PROVIDER} is not installed: nobody can be asked about the node");
        return (BTreeMap::new(), vec![Finding::not_readable("pipewire-node", reason)]);
    };
    let nodes: Vec<BTreeMap<String, String>> = provider
        .devices()
        .iter()
        .filter(|device| {
            device.device_class().starts_with("Video/Source") || device.device_class().contains("Video")
        })
        .map(|device| texts(device.properties().as_deref()))
        .collect();
    let chosen = match &target {
        Some(target) => nodes
            .into_iter()
            .find(|n| ["node-name", "object-path", "serial", "id"].iter().any(|k| n.get(*k) == Some(target))),
        // Without a target the session manager chooses; only one candidate leaves no doubt.
        None => (nodes.len() == 1).then(|| nodes.into_iter().next()).flatten(),
    };
    match chosen {
        Some(node) => {
            let finding = judge(&node);
            (node, vec![finding])
        }
        None => {
            let what = target.map_or_else(|| "the node in use".to_owned(), |t| format!("node `{t}`"));
            let reason = format!("PipeWire lists no camera for {what}: it is another program's stream");
            (BTreeMap::new(), vec![Finding::of("pipewire-node", Class::Virtual, 3.0, reason).injected(2.0)])
        }
    }
}

fn texts(properties: Option<&gst::StructureRef>) -> BTreeMap<String, String> {
    let Some(properties) = properties else { return BTreeMap::new() };
    let ids = [("object.serial", "serial"), ("object.id", "id")];
    PROPERTIES
        .iter()
        .chain(&ids)
        .filter_map(|(from, to)| {
            let text = properties.get::<String>(*from).ok()?;
            Some(((*to).to_owned(), super::identity::clean(&text)))
        })
        .collect()
}

/// A node that a device's driver made names its API; a program's stream that calls itself a camera does not.
fn judge(node: &BTreeMap<String, String>) -> Finding {
    let name = node.get("card").or_else(|| node.get("node-name")).map_or("?", String::as_str);
    match node.get("device-api").map(String::as_str) {
        Some(api @ ("v4l2" | "libcamera")) => {
            let reason = format!("`{name}` is a node of PipeWire's {api} devices");
            Finding::of("pipewire-node", Class::Physical, 1.0, reason)
        }
        Some(api) => {
            Finding::nothing("pipewire-node", format!("`{name}` is a node of the unknown API {api}"))
        }
        None => {
            let program = node.get("program").map_or(String::new(), |p| format!(" ({p})"));
            let reason = format!("`{name}` is a program's stream{program}, not a device's");
            Finding::of("pipewire-node", Class::Virtual, 5.0, reason).injected(4.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    }
}
