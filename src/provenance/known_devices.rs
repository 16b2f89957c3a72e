//! Devices, drivers and names that are publicly known, for the checks of [`super::device_checks`].
//!
//! Lists age: what is not on them is not innocent, and nothing here is decided by a list alone but what a device says
//! against itself.

use super::sysfs::UsbId;

/// What a V4L2 driver drives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// Frames that a program writes.
    Software,
    /// Frames that the driver computes.
    TestPattern,
    /// A memory-to-memory device: codec, scaler, test.
    Processor,
    /// The sending end of a USB camera gadget.
    GadgetEnd,
    /// A card that digitises a cable's signal.
    CaptureCard,
    /// Cameras; a sensor, or the receiver or processor that a sensor is wired to.
    Camera,
}

/// Drivers by the names they answer with or are linked by. A name that ends in `*` stands for all that begin so.
const DRIVERS: &[(Driver, &str)] = &[
    (Driver::Software, "v4l2-loopback* v4l2loopback* akvcam* obs-virtual*"),
    (Driver::TestPattern, "vivid vimc vivi"),
    (
        Driver::Processor,
        "vim2m vicodec* visl* mem2mem* bcm2835-codec* bcm2835-isp* pispbe hantro* rkvdec* rga",
    ),
    (Driver::GadgetEnd, "g-uvc configfs-gadget usb-f-uvc"),
    // PCI cards, and the USB grabbers of analogue video.
    (
        Driver::CaptureCard,
        "bttv cx23885 cx8800 cx88* saa7134 saa7164 cobalt hdpvr em28xx cx231xx usbtv stk1160 tm6000",
    ),
    (
        Driver::CaptureCard,
        "au0828 go7007* pvrusb2 mgb4 dt3155 tw5864 tw68 tw686x solo6x10 procapture* usbvision",
    ),
    // USB, then cameras on PCI and on the processor's own camera bus.
    (
        Driver::Camera,
        "uvcvideo pwc stkwebcam gspca* ov534* facetimehd bm2835-mmal unicam* bcm2835-unicam* rp1-cfe*",
    ),
    (
        Driver::Camera,
        "rkisp1* rkcif* ipu3* ipu6* intel-ipu* isys* imx-media* imx7-csi* imx8-isi* mxc-isi* mx6s-csi*",
    ),
    (
        Driver::Camera,
        "qcom-camss* sun4i-csi* sun6i-csi* omap3isp* atmel-isi* stm32-dcmi* tegra-video* mtk-cam*",
    ),
    (Driver::Camera, "atomisp* amd-isp* exynos-fimc* s5p-fimc* rcar-vin* rzg2l-cru*"),
];

/// What the driver of that name drives. Underscores, spaces and dashes are alike, as in `v4l2 loopback`.
pub fn driver(name: &str) -> Option<Driver> {
    let name: String =
        name.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
    let is = |known: &str| known.strip_suffix('*').map_or(name == known, |start| name.starts_with(start));
    DRIVERS.iter().find(|(_, names)| names.split(' ').any(is)).map(|(driver, _)| *driver)
}

/// Why this USB device takes its picture from a cable, if it is known to.
///
/// MacroSilicon's chips (534d, later 345f) are in most cheap HDMI sticks.
pub fn grabber(id: UsbId) -> Option<&'static str> {
    Some(match (id.vendor, id.product) {
        (0x534d, 0x0021) => "MacroSilicon MS210x, analogue video to USB",
        (0x534d, 0x2109) | (0x345f, 0x2109) => "MacroSilicon MS2109, HDMI to USB",
        (0x534d, 0x2130) | (0x345f, 0x2130..=0x2132) => "MacroSilicon MS2130, HDMI to USB",
        (0x0fd9, 0x0066 | 0x0067 | 0x007b | 0x00a1) => "Elgato Cam Link 4K, HDMI to USB",
        (0x0fd9, 0x0082) => "Elgato HD60 X, HDMI to USB",
        (0x0fd9, 0x0033 | 0x0037) => "Elgato Video Capture, analogue video to USB",
        (0x2935, _) => "Magewell, HDMI or SDI to USB",
        (0x05e1, 0x0408) => "Syntek STK1160, analogue video to USB",
        (0x1b71, 0x3002) => "Fushicai USBTV007, analogue video to USB",
        _ => return None,
    })
}

/// Whether the id is one of those that the Linux kernel's USB gadgets are given by default (1d6b:01xx the Linux
/// Foundation's, 0525:a4xx NetChip's).
pub fn gadget(id: UsbId) -> bool {
    matches!((id.vendor, id.product), (0x1d6b, 0x0100..=0x01ff) | (0x0525, 0xa4a0..=0xa4af))
}

/// A name as the lists below are searched: lower case, one space between words and around all.
pub fn words(name: &str) -> String {
    let parts: Vec<String> =
        name.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase).collect();
    format!(" {} ", parts.join(" "))
}

/// The part of a name that says the device is software.
pub fn software_name(name: &str) -> Option<&'static str> {
    const NAMES: &[&str] = &[
        " obs ",
        " dummy video device",
        " v4l2loopback",
        " v4l2 loopback",
        " loopback",
        " virtual ",
        " manycam",
        " snap camera",
        " droidcam",
        " iriun",
        " epoccam",
        " xsplit",
        " akvcam",
        " webcamoid",
        " vivid ",
        " vimc ",
        " splitcam",
        " unity video capture",
        " vcam",
        " e2esoft",
        " mmhmm",
        " camtwist",
        " chromacam",
        " avatarify",
        " ndi ",
        " nvidia broadcast",
        " deepfacelive",
        " fake camera",
        " fakecam",
        " screen capture",
        " gphoto2",
        " scrcpy",
        " dv4l",
        " ivcam",
    ];
    first(NAMES, name)
}

/// The part of a name that says the picture comes by cable.
pub fn grabber_name(name: &str) -> Option<&'static str> {
    const NAMES: &[&str] = &[
        " cam link",
        " hdmi capture",
        " hdmi to usb",
        " hdmi video",
        " sdi ",
        " capture card",
        " video capture",
        " game capture",
        " usb capture",
        " grabber",
        " usb3 0 capture",
        " usb3 capture",
        " live gamer",
        " magewell",
        " hagibis",
        " mirabox",
        " guermok",
        " rullz",
        " ezcap",
        " easycap",
        " atem ",
        " usb2 video",
        " usb3 video",
        " usb3 0 uhd",
    ];
    first(NAMES, name)
}

fn first(list: &[&'static str], name: &str) -> Option<&'static str> {
    let name = words(name);
    list.iter().find(|n| name.contains(*n)).map(|n| n.trim())
}

/// A camera that a name claims to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Make {
    pub name: &'static str,
    /// USB vendors that build it; none for names of built-in cameras that are on other buses too.
    pub vendors: &'static [u16],
    /// It has a microphone, so its USB device has an audio interface besides.
    pub microphone: bool,
}

/// The well-known camera that a name claims to be. The more exact name comes first.
pub fn make(name: &str) -> Option<&'static Make> {
    const fn of(name: &'static str, vendors: &'static [u16], microphone: bool) -> Make {
        Make { name, vendors, microphone }
    }
    const LOGITECH: &[u16] = &[0x046d];
    const MAKES: &[Make] = &[
        of(" c920", LOGITECH, true),
        of(" c922", LOGITECH, true),
        of(" c925", LOGITECH, true),
        of(" c930", LOGITECH, true),
        of(" c270", LOGITECH, true),
        of(" c310", LOGITECH, true),
        of(" c615", LOGITECH, true),
        of(" streamcam", LOGITECH, true),
        of(" logi", LOGITECH, false),
        of(" brio ", LOGITECH, false),
        of(" lifecam hd", &[0x045e], true),
        of(" lifecam", &[0x045e], false),
        of(" razer kiyo", &[0x1532], false),
        of(" elgato facecam", &[0x0fd9], false),
        of(" obsbot", &[0x3564, 0x6e30], false),
        of(" insta360", &[0x2e1a], false),
        of(" facetime", &[], false),
        of(" integrated camera", &[], false),
        of(" integrated webcam", &[], false),
        of(" easycamera", &[], false),
        of(" hp hd camera", &[], false),
    ];
    let name = words(name);
    MAKES.iter().find(|m| name.contains(m.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_are_told_by_name() {
        assert_eq!(driver("v4l2 loopback"), Some(Driver::Software));
        assert_eq!(driver("v4l2loopback_dc"), Some(Driver::Software));
        assert_eq!(driver("uvcvideo"), Some(Driver::Camera));
        assert_eq!(driver("rkisp1_mainpath"), Some(Driver::Camera));
        assert_eq!(driver("vivid"), Some(Driver::TestPattern));
        assert_eq!(driver("g_uvc"), Some(Driver::GadgetEnd));
        assert_eq!(driver("bcm2835-codec-decode"), Some(Driver::Processor));
        assert_eq!((driver("home-made"), driver(""), driver("*")), (None, None, None));
    }

    #[test]
    fn names_are_compared_by_words() {
        assert_eq!(software_name("OBS Virtual Camera"), Some("obs"));
        assert_eq!(software_name("Dummy video device (0x0000)"), Some("dummy video device"));
        // Parts of other words.
        assert_eq!(software_name("OBSBOT Tiny 2"), None);
        assert_eq!(software_name("Brandish Cam"), None);
        assert_eq!(grabber_name("Cam Link 4K"), Some("cam link"));
        assert_eq!(grabber_name("HD Pro Webcam C920"), None);
        assert_eq!(make("HD Pro Webcam C920").map(|m| m.vendors), Some(&[0x046d][..]));
        assert_eq!(make("USB 2.0 Camera"), None);
    }

    #[test]
    fn grabbers_are_told_by_ids() {
        let id = |vendor, product| UsbId { vendor, product };
        assert!(grabber(id(0x534d, 0x2109)).is_some() && grabber(id(0x0fd9, 0x0066)).is_some());
        // Elgato makes webcams as well.
        assert_eq!((grabber(id(0x0fd9, 0x0078)), grabber(id(0x046d, 0x082d))), (None, None));
        assert!(gadget(id(0x1d6b, 0x0104)) && !gadget(id(0x1d6b, 0x0002)));
    }
}
