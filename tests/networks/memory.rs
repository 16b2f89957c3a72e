//! A network of time gets back what it gave, face by face, and is forgotten when it must be.

use crate::common::{face_models, onnxruntime};
use crate::{Entry, folder};
use gstdeepfake::analysis::engine::profile::Profile;
use gstdeepfake::analysis::face::chain::{Chain, Face};
use gstdeepfake::analysis::networks::crop::FaceBox;
use gstdeepfake::analysis::networks::look::{Shown, Viewer};
use gstdeepfake::analysis::networks::memory::Memory;
use gstdeepfake::analysis::networks::models::NetworkModels as _;
use gstdeepfake::analysis::pixels::frame::{Colour, FrameView, PixelFormat, Plane};
use gstdeepfake::inference::{Config, FaceModelSet, Provider};

const W: usize = 320;
const H: usize = 240;

struct Rig {
    chain: Chain<FaceModelSet>,
    viewer: Viewer,
    face: Face,
}

impl Rig {
    fn new(keys: &str) -> Option<Self> {
        let mut entry = Entry::clock();
        entry.keys.push_str(keys);
        let dir = folder(&[entry]);
        let set = FaceModelSet::load(&Config {
            model_dir: Some(face_models()),
            library: Some(onnxruntime()?),
            provider: Provider::Cpu,
            extra_models: vec![dir.path().to_path_buf()],
            ..Config::default()
        })
        .unwrap();
        let mut chain = Chain::new(set, Profile::Balanced.chain(1, 16.0), None);
        let faces = with_frame(|frame| chain.faces(frame, 0, &mut Vec::new(), &mut ()).unwrap());
        let face = faces.into_iter().next().expect("the small networks see a face");
        Some(Self { chain, viewer: Viewer::default(), face })
    }

    /// The score at `s` seconds, and whether it counts.
    fn look(&mut self, memory: &mut Memory, s: f64) -> (f64, bool) {
        let place = FaceBox::of(&self.face.mesh, self.face.pose);
        let pts = (s * 1e9) as u64;
        let Self { chain, viewer, face } = self;
        let look = with_frame(|frame| {
            let shown = Shown { frame, face, place: &place, pts };
            viewer.look(chain, 0, shown, Some(memory)).unwrap()
        });
        let look = look.expect("the face is in the picture");
        ((look.score * 1e3).round() / 1e3, look.settled)
    }

    fn memory(&self) -> Memory {
        Memory::new(self.chain.models().networks()[0].memory.unwrap())
    }
}

fn with_frame<R>(run: impl FnOnce(&FrameView<'_>) -> R) -> R {
    let data = vec![128; W * H];
    let plane = Plane { data: &data, stride: W };
    run(&FrameView::new(PixelFormat::Gray8, W, H, Colour::default(), &[plane]).unwrap())
}

#[test]
fn it_counts_the_seconds_for_which_it_has_watched_each_face() {
    let Some(mut rig) = Rig::new("\nsettle = 0.5\nhold = 0.4") else { return };
    let (mut one, mut two) = (rig.memory(), rig.memory());
    assert_eq!(rig.look(&mut one, 10.0), (0.0, false));
    assert_eq!(rig.look(&mut one, 10.3), (0.3, false));
    assert_eq!(rig.look(&mut two, 10.4), (0.0, false), "another face has a memory of its own");
    assert_eq!(rig.look(&mut one, 10.6), (0.6, true));
    assert_eq!(rig.look(&mut two, 10.6), (0.2, false));
    assert_eq!(rig.look(&mut one, 11.1), (0.0, false), "it was away for half a second");
    one.forget();
    assert_eq!(rig.look(&mut one, 11.2), (0.0, false));
}
