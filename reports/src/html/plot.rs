//! Places on a horizontal axis, in percent, so that a drawing fits any width. Knows seconds, and nothing of records.

use crate::amount::duration;

/// Steps that read well between marks, in seconds.
const STEPS: [f64; 27] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0,
    900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 21_600.0, 43_200.0, 86_400.0,
];
const MOST_MARKS: f64 = 5.0;

/// An axis from 0 to a number of seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    total_secs: f64,
}

/// A stretch of an axis, in percent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Span {
    pub(super) x: String,
    pub(super) width: String,
}

/// A labelled place on an axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mark {
    pub(super) x: String,
    pub(super) label: String,
}

impl Axis {
    pub(super) fn new(total_secs: f64) -> Self {
        Self { total_secs: total_secs.max(0.001) }
    }

    pub(super) fn percent(self, secs: f64) -> String {
        format!("{:.2}%", self.part(secs))
    }

    /// From `from` for `secs`. What lasted no time is drawn at least so wide that it can be seen.
    pub(super) fn span(self, from: f64, secs: f64) -> Span {
        const LEAST: f64 = 0.6;
        let end = self.part(from + secs);
        let x = self.part(from).min(100.0 - LEAST);
        Span { x: format!("{x:.2}%"), width: format!("{:.2}%", (end - x).max(LEAST)) }
    }

    /// Marks at round places, none of them at either end.
    pub(super) fn marks(self) -> Vec<Mark> {
        let largest = STEPS[STEPS.len() - 1];
        let days = (self.total_secs / largest / MOST_MARKS).ceil() * largest;
        let step = STEPS.into_iter().find(|step| self.total_secs / step <= MOST_MARKS).unwrap_or(days);
        let places = (1..=10).map(|n| f64::from(n) * step).take_while(|secs| self.part(*secs) < 94.0);
        places.map(|secs| Mark { x: self.percent(secs), label: duration(secs) }).collect()
    }

    fn part(self, secs: f64) -> f64 {
        (secs / self.total_secs * 100.0).clamp(0.0, 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_few_at_every_scale() {
        let labels = |secs| Axis::new(secs).marks().into_iter().map(|mark| mark.label).collect::<Vec<_>>();
        assert_eq!(labels(57.0), ["15 s", "30 s", "45 s"]);
        assert_eq!(labels(0.34), ["100 ms", "200 ms", "300 ms"]);
        assert_eq!(labels(4.0 * 3600.0), ["1 h", "2 h", "3 h"]);
        assert_eq!(labels(20.0 * 86_400.0), ["4 d", "8 d", "12 d", "16 d"]);
        assert_eq!(labels(0.0).len(), 0);
    }

    #[test]
    fn spans_stay_on_the_axis_and_can_be_seen() {
        let axis = Axis::new(10.0);
        assert_eq!(axis.span(2.0, 3.0), Span { x: "20.00%".into(), width: "30.00%".into() });
        assert_eq!(axis.span(10.0, 0.0), Span { x: "99.40%".into(), width: "0.60%".into() });
        assert_eq!(axis.span(8.0, 99.0), Span { x: "80.00%".into(), width: "20.00%".into() });
    }
}
