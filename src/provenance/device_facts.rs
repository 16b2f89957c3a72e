//! What V4L2 and the device tree say of a video node.

use super::{sysfs, v4l2};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is known of a video node. Where a source could not be read, the reason stands beside it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeviceFacts {
    pub v4l2: Option<v4l2::Node>,
    pub v4l2_unread: Option<String>,
    pub tree: Option<sysfs::Tree>,
    pub tree_unread: Option<String>,
}

impl DeviceFacts {
    /// As names and texts, for reports and policies.
    pub fn texts(&self) -> BTreeMap<String, String> {
        let mut texts = BTreeMap::new();
        let mut add = |name: &str, text: Option<String>| {
            if let Some(text) = text.filter(|t| !t.is_empty()) {
                texts.insert(name.to_owned(), text);
            }
        };
        if let Some(node) = &self.v4l2 {
            add("driver", Some(node.driver.clone()));
            add("card", Some(node.card.clone()));
            add("bus-info", Some(node.bus_info.clone()));
            let codes: Vec<_> = node.formats.iter().map(|f| f.code.as_str()).collect();
            add("formats", Some(codes.join(" ")));
            add("controls", Some(node.controls.len().to_string()));
        }
        if let Some(tree) = &self.tree {
            add("device-path", Some(tree.path.clone()));
            let driver = tree.parent.as_ref().and_then(|p| p.driver.clone());
            if self.v4l2.is_none() {
                add("driver", driver);
                add("card", tree.name.clone());
            }
            if let Some(usb) = &tree.usb {
                add("usb-id", Some(usb.id.to_string()));
                add("product", usb.product.clone());
                add("controller", usb.controller.as_ref().map(|c| c.name.clone()));
            }
        }
        texts
    }
}
