//! What is shown of a run while it is at work: a bar on a terminal, a plain line now and then elsewhere, nothing when asked
//! to be quiet.

use std::convert::Infallible;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use drill_agents::Progress;
use drill_reports::{CheckResult, Entry, Event, Outcome, Stage, StageEnd, shown};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use owo_colors::OwoColorize;

use super::{Options, tell};
use crate::monitor::Monitor;

/// Between two looks at the progress.
const TICK: Duration = Duration::from_millis(120);
/// Between two plain lines, where there is no terminal.
const PLAIN: Duration = Duration::from_secs(10);

/// Shows a run on standard error.
pub(super) struct Console {
    bar: Option<ProgressBar>,
    loud: bool,
    stage: Mutex<Option<Stage>>,
}

impl Console {
    /// As the options and the terminal ask for.
    pub(super) fn new(options: &Options) -> Arc<Self> {
        let loud = !options.quiet;
        let bar = (loud && std::io::stderr().is_terminal()).then(bar);
        Arc::new(Self { bar, loud, stage: Mutex::default() })
    }

    /// Does `work` and shows its progress meanwhile.
    pub(super) async fn during<T>(&self, progress: &Progress, work: impl Future<Output = T>) -> T {
        let done = tokio::select! {
            done = work => done,
            never = self.follow(progress), if self.loud => match never {},
        };
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        done
    }

    async fn follow(&self, progress: &Progress) -> Infallible {
        let mut quiet_for = Duration::ZERO;
        loop {
            tokio::time::sleep(TICK).await;
            let (done, total) = progress.read();
            match &self.bar {
                Some(bar) => self.draw(bar, done, total),
                None => {
                    quiet_for += TICK;
                    if quiet_for >= PLAIN {
                        quiet_for = Duration::ZERO;
                        self.plain(done, total);
                    }
                }
            }
        }
    }

    fn draw(&self, bar: &ProgressBar, done: u64, total: u64) {
        bar.set_style(if total > 0 { with_total() } else { without_total() });
        bar.set_length(total.max(done));
        bar.set_position(done);
        bar.tick();
    }

    fn plain(&self, done: u64, total: u64) {
        let stage = *self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(stage) = stage else { return };
        let done = drill_reports::amount::bytes(done);
        match total {
            0 => tell(format_args!("{stage}: {done}")),
            total => tell(format_args!("{stage}: {done} of {}", drill_reports::amount::bytes(total))),
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| tell(text)),
            None => tell(text),
        }
    }

    fn began(&self, stage: Stage) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = Some(stage);
        if let Some(bar) = &self.bar {
            bar.reset();
            bar.set_message(stage.to_string());
        }
    }
}

impl Monitor for Console {
    fn saw(&self, entry: &Entry) {
        if !self.loud {
            return;
        }
        match &entry.event {
            Event::StageStarted { stage, .. } => self.began(*stage),
            Event::StageEnded { stage, end, secs } => self.line(&ended(*stage, end, *secs)),
            Event::Checked(check) => self.line(&checked(check)),
            Event::LeaseStuck { error, .. } => {
                self.line(&format!("  {} {}", "left behind:".red().bold(), shown(error)))
            }
            _ => {}
        }
    }
}

fn ended(stage: Stage, end: &StageEnd, secs: f64) -> String {
    let time = drill_reports::amount::duration(secs);
    let name = format!("{:<10}", stage.to_string());
    match end {
        StageEnd::Done => format!("{} {:>9}", name.bold(), time.dimmed()),
        StageEnd::Error { error, .. } => {
            format!("{} {:>9}  {} {}", name.bold(), time.dimmed(), "error:".red().bold(), shown(error))
        }
        StageEnd::TimedOut => format!("{} {:>9}  {}", name.bold(), time.dimmed(), "its deadline passed".red()),
        StageEnd::Interrupted => format!("{} {:>9}  {}", name.bold(), time.dimmed(), "interrupted".yellow()),
    }
}

fn checked(check: &CheckResult) -> String {
    // A check of the scenario says by itself what it looks at.
    let of_another = check.system.as_ref().filter(|_| check.id != check.title);
    let title = of_another.map_or_else(|| check.title.clone(), |system| format!("{system}: {}", check.title));
    let (title, seen) = (shown(&title), shown(&check.observed));
    match check.outcome {
        Outcome::Passed => format!("  {} {title}", "✔".green()),
        Outcome::Failed => format!("  {} {title}: {seen}", "✘".red().bold()),
        Outcome::Inconclusive => format!("  {} {title}: {seen}", "?".yellow().bold()),
    }
}

fn bar() -> ProgressBar {
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10)).with_style(without_total())
}

fn with_total() -> ProgressStyle {
    let template = "{msg:<10} {wide_bar:.cyan/dim} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
    ProgressStyle::with_template(template).expect("the template is fixed").progress_chars("━━─")
}

fn without_total() -> ProgressStyle {
    ProgressStyle::with_template("{msg:<10} {spinner} {bytes} {elapsed}").expect("the template is fixed")
}
