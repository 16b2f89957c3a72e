//! One session, from the first frame to its decision: how much was seen, and the most that ever spoke for an attack.

use super::watch::{LONGEST_STEP, Watch};
use crate::analysis::evidence::{Evidence, seconds};
use crate::analysis::judgement::alert::Judge;
use crate::analysis::judgement::decision::Standing;
use crate::analysis::judgement::fusion::Fusion;
use crate::analysis::judgement::verdict::Condition;
use crate::analysis::source::provenance::Source;

/// What one face, or the stream, amounts to.
#[derive(Clone, Debug)]
struct Subject {
    fusion: Fusion,
    /// The stream's, at that moment.
    beside: Option<Fusion>,
    evidence: Vec<String>,
}

impl Subject {
    fn statistic(&self) -> f64 {
        self.fusion.statistic(self.beside.as_ref())
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Session {
    hypotheses: usize,
    newest: Option<u64>,
    seconds: f64,
    face_seconds: f64,
    good_seconds: f64,
    seen: bool,
    change: f64,
    alerted: bool,
    /// The worst of the faces that are gone.
    gone: Option<Subject>,
}

impl Session {
    pub fn new(hypotheses: usize) -> Self {
        Self {
            hypotheses,
            newest: None,
            seconds: 0.0,
            face_seconds: 0.0,
            good_seconds: 0.0,
            seen: false,
            change: 0.0,
            alerted: false,
            gone: None,
        }
    }

    /// A frame at `pts` (ns) was analysed, with those faces in it; none in a picture that was shown again.
    pub fn frame<'a>(&mut self, pts: u64, faces: impl Iterator<Item = &'a Watch>, stream: &Judge) {
        let dt = self.newest.map_or(0.0, |n| seconds(n, pts)).min(LONGEST_STEP);
        self.newest = Some(pts);
        self.seconds += dt;
        let (mut seen, mut good) = (false, false);
        for watch in faces {
            seen = true;
            good |= watch.verdict.condition == Condition::Analysed;
            self.change = self.change.max(watch.judge.statistic());
            self.alerted |= watch.judge.is_raised();
        }
        self.change = self.change.max(stream.statistic());
        self.alerted |= stream.is_raised();
        self.seen |= seen;
        if seen {
            self.face_seconds += dt;
        }
        if good {
            self.good_seconds += dt;
        }
    }

    /// Times begin anew.
    pub fn interrupt(&mut self) {
        self.newest = None;
    }

    /// A face is gone: the worst one still has a part in the decision.
    pub fn leave(&mut self, judge: &Judge, stream: &Judge, evidence: &[Evidence]) {
        let subject = subject(judge, Some(stream), evidence);
        self.change = self.change.max(judge.statistic());
        if self.gone.as_ref().is_none_or(|g| subject.statistic() > g.statistic()) {
            self.gone = Some(subject);
        }
    }

    /// What the session amounts to now. Results of challenges are not in it: whoever draws them knows them.
    pub fn standing<'a>(
        &self,
        faces: impl Iterator<Item = &'a Watch>,
        stream: &Judge,
        source: Option<&Source>,
        prior: f64,
    ) -> Standing {
        let here = faces.map(|w| subject(&w.judge, Some(stream), &w.verdict.evidence));
        let all = here.chain(self.gone.clone());
        let worst = all.reduce(|a, b| if b.statistic() > a.statistic() { b } else { a });
        // The stream's own evidence is in that of every face. By itself it knows nothing of faces: it would hide what
        // speaks for them.
        let worst = worst.unwrap_or_else(|| subject(stream, None, &[]));
        Standing {
            seconds: self.seconds,
            face_seconds: self.face_seconds,
            good_seconds: self.good_seconds,
            seen: self.seen,
            fused: worst.statistic(),
            change: self.change,
            posterior: worst.fusion.posterior(prior, worst.beside.as_ref()),
            hypotheses: self.hypotheses,
            alerted: self.alerted,
            challenges: Vec::new(),
            source: source.map(|s| s.class.name().to_owned()),
            evidence: worst.evidence,
        }
    }
}

fn subject(judge: &Judge, beside: Option<&Judge>, evidence: &[Evidence]) -> Subject {
    let told = evidence.iter().filter(|e| e.llr > 0.0).map(|e| format!("{}: {}", e.signal, e.reason));
    Subject {
        fusion: judge.fusion().clone(),
        beside: beside.map(|b| b.fusion().clone()),
        evidence: told.collect(),
    }
}
