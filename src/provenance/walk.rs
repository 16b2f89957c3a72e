//! Upstream from a pad to the elements where its stream enters the process.
//!
//! The way leads through peers, ghost pads and bins (the inside of `decodebin`, `rtspsrc` or `webrtcbin` is walked like
//! everything else), through tees, queues, muxers and selectors: where an element has several inputs all are followed,
//! for each of them may contribute to the picture.

use gst::prelude::*;
use gstreamer as gst;
use std::collections::HashSet;

/// A walk ends after that many pads: a graph of that size is a mistake, or an attack on the walker.
const MAX_PADS: usize = 4096;
/// No more sources than this are reported.
pub const MAX_SOURCES: usize = 16;

/// Where a stream enters the process.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The element without inputs.
    pub element: gst::Element,
    /// Its pad towards us.
    pub pad: gst::Pad,
    /// The bins that hold it, innermost first, without the outermost pipeline.
    pub bins: Vec<gst::Element>,
    /// From the source to us: the input pads of all elements on the way.
    pub way: Vec<gst::Pad>,
}

impl PartialEq for Origin {
    /// The same source by the same way.
    fn eq(&self, other: &Self) -> bool {
        self.element == other.element && self.pad == other.pad && self.way == other.way
    }
}

/// The name of an element's factory; empty for one that was made without.
pub fn factory(element: &gst::Element) -> String {
    element.factory().map(|f| f.name().to_string()).unwrap_or_default()
}

/// What feeds `sink`, an input pad. Empty while nothing is linked. Every source once.
pub fn origins(sink: &gst::Pad) -> Vec<Origin> {
    let mut walk = Walk { seen: HashSet::new(), found: Vec::new() };
    walk.upstream(sink, &[]);
    walk.found
}

struct Walk {
    seen: HashSet<gst::Pad>,
    found: Vec<Origin>,
}

impl Walk {
    /// `way`: the input pads from here to the start of the walk, nearest first.
    fn upstream(&mut self, sink: &gst::Pad, way: &[gst::Pad]) {
        // Deep chains are a stack, not a recursion: (input pad, way so far).
        let mut stack = vec![(sink.clone(), way.to_vec())];
        while let Some((sink, way)) = stack.pop() {
            if self.seen.len() >= MAX_PADS
                || self.found.len() >= MAX_SOURCES
                || !self.seen.insert(sink.clone())
            {
                continue;
            }
            let mut way = way;
            way.insert(0, sink.clone());
            let Some((output, passed)) = feeding(&sink) else { continue };
            // Ghost pads on the way in have been dealt with: they count as visited.
            self.seen.extend(passed);
            let Some(element) = output.parent_element() else { continue };
            let inputs = inputs(&element, &output);
            if inputs.is_empty() {
                if element.num_sink_pads() == 0 && !self.found.iter().any(|o| o.element == element) {
                    self.found.push(Origin { bins: bins(&element), element, pad: output, way });
                }
                continue;
            }
            // The last pushed is walked first: reversed, so that sources come in the order of the pads.
            stack.extend(inputs.into_iter().rev().map(|pad| (pad, way.clone())));
        }
    }
}

/// The output pad of a real element (no ghost) that feeds an input pad, and the pads of bins passed on the way.
fn feeding(sink: &gst::Pad) -> Option<(gst::Pad, Vec<gst::Pad>)> {
    let mut passed = Vec::new();
    let mut peer = sink.peer()?;
    for _ in 0..MAX_PADS {
        passed.push(peer.clone());
        if let Some(ghost) = peer.downcast_ref::<gst::GhostPad>() {
            // Into a bin: what its ghost pad stands for.
            peer = ghost.target()?;
        } else if let Some(proxy) = peer.downcast_ref::<gst::ProxyPad>() {
            // Out of a bin: the inner side of one of its input pads, fed from outside.
            let outer = proxy.internal()?;
            peer = outer.upcast_ref::<gst::Pad>().peer()?;
        } else {
            return Some((peer, passed));
        }
    }
    None
}

/// The input pads that feed an output pad inside an element.
fn inputs(element: &gst::Element, output: &gst::Pad) -> Vec<gst::Pad> {
    let linked: Vec<gst::Pad> = output.iterate_internal_links().into_iter().filter_map(Result::ok).collect();
    let linked = if linked.is_empty() { element.sink_pads() } else { linked };
    linked.into_iter().filter(|p| p.direction() == gst::PadDirection::Sink && p.is_linked()).collect()
}

fn bins(element: &gst::Element) -> Vec<gst::Element> {
    let mut bins = Vec::new();
    let mut parent = element.parent();
    while let Some(object) = parent {
        parent = object.parent();
        if let Ok(bin) = object.downcast::<gst::Element>()
            && parent.is_some()
        {
            bins.push(bin);
        }
    }
    bins
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(description: &str) -> Vec<String> {
        gst::init().unwrap();
        let pipeline = gst::parse::launch(description).unwrap();
        let bin = pipeline.downcast_ref::<gst::Bin>().unwrap();
        let end = bin.by_name("end").unwrap();
        origins(&end.static_pad("sink").unwrap()).iter().map(|o| factory(&o.element)).collect()
    }

    #[test]
    fn the_way_leads_through_queues_tees_and_selectors() {
        assert_eq!(names("fakesrc ! queue ! identity ! tee ! queue ! fakesink name=end"), ["fakesrc"]);
        let two =
            names("funnel name=f ! fakesink name=end  videotestsrc ! identity ! f.  fakesrc ! queue ! f.");
        assert_eq!(two.len(), 2, "{two:?}");
        assert!(names("fakesrc fakesink name=end").is_empty());
    }

    #[test]
    fn the_way_leads_into_bins_and_out_of_them() {
        gst::init().unwrap();
        let inner = gst::parse::bin_from_description("identity ! queue", true).unwrap();
        let source = gst::parse::bin_from_description("fakesrc ! identity", true).unwrap();
        let around = gst::Bin::new();
        let end = gst::ElementFactory::make("fakesink").build().unwrap();
        let pipeline = gst::Pipeline::new();
        around.add(&source).unwrap();
        let ghost = gst::GhostPad::with_target(&source.static_pad("src").unwrap()).unwrap();
        around.add_pad(&ghost).unwrap();
        pipeline.add_many([around.upcast_ref(), inner.upcast_ref::<gst::Element>(), &end]).unwrap();
        around.link(&inner).unwrap();
        inner.link(&end).unwrap();
        let found = origins(&end.static_pad("sink").unwrap());
        assert_eq!(found.len(), 1);
        assert_eq!(factory(&found[0].element), "fakesrc");
        assert_eq!(found[0].bins.len(), 2, "{:?}", found[0].bins);
        let last = found[0].way.last().unwrap().parent_element().unwrap();
        assert_eq!(last, end);
        assert_eq!(factory(&found[0].way[0].parent_element().unwrap()), "identity");
    }

    #[test]
    fn a_loop_of_links_ends() {
        gst::init().unwrap();
        let funnel = gst::ElementFactory::make("funnel").build().unwrap();
        let tee = gst::ElementFactory::make("tee").build().unwrap();
        let end = gst::ElementFactory::make("fakesink").build().unwrap();
        let pipeline = gst::Pipeline::new();
        pipeline.add_many([&funnel, &tee, &end]).unwrap();
        gst::Element::link_many([&funnel, &tee, &funnel]).unwrap();
        tee.link(&end).unwrap();
        assert!(origins(&end.static_pad("sink").unwrap()).is_empty());
    }
}
