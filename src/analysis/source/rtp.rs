//! What the RTP packets of a stream and the RTCP reports beside them tell of their sender.
//!
//! A live sender numbers its packets without a break, stamps them with a clock of its own that runs at the rate it
//! claims, and reports its wall-clock time in sender reports (RFC 3550, sections 5.1 and 6.4.1). A capture that is sent
//! again keeps its old reports, a looped one jumps back in numbers and stamps, and one that is played at another pace
//! drifts. All of this can be rewritten by a careful sender.

use crate::analysis::source::provenance::{Class, Finding};

/// Sequence numbers may step by this much without being called a break: packets get lost and come late.
const MAX_DROPOUT: i16 = 3000;
const MAX_MISORDER: i16 = 100;
/// Steps of stamps against arrival beyond this are breaks, seconds: no jitter buffer spans it.
const MAX_STAMP_STEP: f64 = 2.0;
/// A sender report older or newer than this is not of this call, seconds: clocks of machines differ by minutes at worst
/// where anybody sets them.
const MAX_REPORT_AGE: f64 = 300.0;
/// Crystal clocks are good to 100 ppm; twice that is no crystal.
const MAX_SKEW_PPM: f64 = 200.0;
/// A clock's rate is not judged over less than this, seconds.
const MIN_SPAN: f64 = 20.0;
/// Seconds from the NTP era (1900) to the Unix epoch.
const NTP_TO_UNIX: u64 = 2_208_988_800;

/// The fixed part of an RTP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpHeader {
    pub payload_type: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
}

impl RtpHeader {
    /// Reads a packet; `None` for what is no RTP version 2.
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let head: &[u8; 12] = packet.first_chunk()?;
        let [first, second, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3] = *head;
        if first >> 6 != 2 {
            return None;
        }
        Some(Self {
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([r0, r1, r2, r3]),
        })
    }
}

/// The wall-clock time in the first sender report of a compound RTCP packet: its SSRC and ns since the Unix epoch.
/// `None` where there is none, or where it claims a time before 1970.
pub fn sender_report(packet: &[u8]) -> Option<(u32, u64)> {
    let mut rest = packet;
    while let Some([first, kind, l0, l1]) = rest.first_chunk::<4>() {
        if first >> 6 != 2 {
            return None;
        }
        let length = 4 * (1 + usize::from(u16::from_be_bytes([*l0, *l1])));
        if *kind == 200 {
            let body: &[u8; 12] = rest.get(4..)?.first_chunk()?;
            let word = |at: usize| {
                body.get(at..at + 4)
                    .and_then(|b| b.try_into().ok())
                    .map(u32::from_be_bytes)
                    .unwrap_or_default()
            };
            let seconds = u64::from(word(4)).checked_sub(NTP_TO_UNIX)?;
            let nanoseconds = (u64::from(word(8)) * 1_000_000_000) >> 32;
            return Some((word(0), seconds * 1_000_000_000 + nanoseconds));
        }
        rest = rest.get(length..)?;
    }
    None
}

/// Running sums of a straight line through points, of which nothing is kept.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    n: f64,
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
}

impl Line {
    fn add(&mut self, x: f64, y: f64) {
        self.n += 1.0;
        self.x += x;
        self.y += y;
        self.xx += x * x;
        self.xy += x * y;
    }

    fn slope(&self) -> Option<f64> {
        let d = self.n * self.xx - self.x * self.x;
        (self.n >= 50.0 && d > 0.0).then(|| (self.n * self.xy - self.x * self.y) / d)
    }
}

#[derive(Clone, Copy, Debug)]
struct Stream {
    ssrc: u32,
    first_arrival: u64,
    last: RtpHeader,
    last_arrival: u64,
    /// Seconds by the sender's clock since the first packet.
    stamp: f64,
    clock: Line,
}

/// Watches one RTP stream. Constant memory; a few nanoseconds a packet.
#[derive(Clone, Debug, Default)]
pub struct RtpWatch {
    clock_rate: f64,
    stream: Option<Stream>,
    packets: u64,
    lost: u64,
    restarts: u32,
    senders: u32,
    reports: u32,
    /// Reported less received wall-clock time at the last sender report, seconds.
    report_offset: Option<f64>,
}

impl RtpWatch {
    /// `clock_rate`: of the RTP stamps, Hz (90,000 for video).
    pub fn new(clock_rate: u32) -> Self {
        Self { clock_rate: f64::from(clock_rate.max(1)), ..Self::default() }
    }

    /// Takes a packet that arrived at `arrival`, ns of any steady clock.
    pub fn packet(&mut self, packet: &[u8], arrival: u64) {
        let Some(header) = RtpHeader::parse(packet) else { return };
        self.packets += 1;
        let Some(stream) = self.stream.as_mut().filter(|s| s.ssrc == header.ssrc) else {
            self.senders += 1;
            self.stream = Some(Stream {
                ssrc: header.ssrc,
                first_arrival: arrival,
                last: header,
                last_arrival: arrival,
                stamp: 0.0,
                clock: Line::default(),
            });
            return;
        };
        let step = header.sequence.wrapping_sub(stream.last.sequence).cast_signed();
        if (-MAX_MISORDER..=0).contains(&step) {
            return; // late or doubled: the network's doing
        }
        let stamps = f64::from(header.timestamp.wrapping_sub(stream.last.timestamp).cast_signed());
        let passed = stamps / self.clock_rate;
        let waited = arrival.saturating_sub(stream.last_arrival) as f64 * 1e-9;
        let jump = !(0..=MAX_DROPOUT).contains(&step) || (passed - waited).abs() > MAX_STAMP_STEP;
        stream.last = header;
        stream.last_arrival = arrival;
        if jump {
            self.restarts += 1;
            stream.first_arrival = arrival;
            stream.stamp = 0.0;
            stream.clock = Line::default();
            return;
        }
        self.lost += u64::from(step.unsigned_abs()).saturating_sub(1);
        stream.stamp += passed;
        let since = arrival.saturating_sub(stream.first_arrival) as f64 * 1e-9;
        stream.clock.add(since, stream.stamp);
    }

    /// Takes an RTCP packet that arrived at `now`, ns since the Unix epoch.
    pub fn report(&mut self, packet: &[u8], now: u64) {
        let of_this = |ssrc: u32| self.stream.is_none_or(|s| s.ssrc == ssrc);
        if let Some((ssrc, time)) = sender_report(packet)
            && of_this(ssrc)
        {
            self.reports += 1;
            self.report_offset = Some((time as f64 - now as f64) * 1e-9);
        }
    }

    /// The sender's clock against ours, parts per million; `None` before it can be told.
    pub fn skew_ppm(&self) -> Option<f64> {
        let stream = self.stream.as_ref()?;
        let span = stream.last_arrival.saturating_sub(stream.first_arrival) as f64 * 1e-9;
        (span >= MIN_SPAN).then(|| stream.clock.slope().map(|s| (s - 1.0) * 1e6))?
    }

    /// The checks `rtp-continuity`, `rtp-clock` and `rtcp-time`.
    pub fn findings(&self) -> Vec<Finding> {
        if self.packets == 0 {
            return vec![Finding::nothing("rtp-continuity", "no RTP packet was seen")];
        }
        let packets = self.packets;
        // Selective forwarding units change the sender now and then; restarts within one sender they do not make.
        let continuity = match (self.restarts, self.senders.saturating_sub(1)) {
            (0, 0) => {
                let lost = 100.0 * self.lost as f64 / (packets + self.lost) as f64;
                let reason = format!("{packets} packets of one sender without a break ({lost:.1} % lost)");
                Finding::of("rtp-continuity", Class::Network, 2.0, reason).injected(-0.3)
            }
            (0, changes) => {
                let reason = format!("the sender (SSRC) changed {changes} times");
                Finding::of("rtp-continuity", Class::Network, 2.0, reason).injected(1.0)
            }
            (restarts, _) => {
                let reason = format!("numbers or stamps jumped {restarts} times within one sender");
                Finding::of("rtp-continuity", Class::Network, 2.0, reason).injected(3.0)
            }
        };
        let clock = match self.skew_ppm() {
            None => Finding::nothing("rtp-clock", "too short to judge the sender's clock"),
            Some(ppm) if ppm.abs() > MAX_SKEW_PPM => {
                let reason = format!("the sender's clock is off by {ppm:.0} ppm: not a live clock's pace");
                Finding::of("rtp-clock", Class::Network, 0.0, reason).injected(2.0)
            }
            Some(ppm) => {
                let reason = format!("the sender's clock is off by {ppm:.0} ppm, as a live one's");
                Finding::of("rtp-clock", Class::Network, 0.0, reason).injected(-0.3)
            }
        };
        let time = match self.report_offset {
            None => Finding::nothing("rtcp-time", "no sender report was seen"),
            Some(offset) if offset.abs() > MAX_REPORT_AGE => {
                let reason = format!("sender reports are {:.0} s off the present time", offset.abs());
                Finding::of("rtcp-time", Class::Network, 0.5, reason).injected(2.5)
            }
            Some(offset) => {
                let reason = format!("sender reports are of the present time ({offset:+.1} s)");
                Finding::of("rtcp-time", Class::Network, 0.5, reason).injected(-0.5)
            }
        };
        vec![continuity, clock, time]
    }
}

#[cfg(test)]
#[path = "rtp_tests.rs"]
mod tests;
