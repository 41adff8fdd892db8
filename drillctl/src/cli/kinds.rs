//! `drillctl kinds`: what sources, vaults, scratches and probes there are.

use clap::Args;
use owo_colors::OwoColorize;

use super::{Ended, Options, say, say_json};
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Show the fields of this kind (`postgres`, or `source.postgres` where several families have it)
    kind: Option<String>,
}

pub(super) fn kinds(options: &Options, arguments: &Arguments) -> Ended {
    let wanted = arguments.kind.as_deref();
    let fits = |kind: &drill_scenarios::Kind| {
        wanted.is_none_or(|wanted| wanted == kind.name || wanted == format!("{}.{}", kind.family, kind.name))
    };
    let kinds: Vec<_> = drill_scenarios::kinds().into_iter().filter(fits).collect();
    if kinds.is_empty() {
        let message = format!("there is no kind {}", wanted.unwrap_or_default());
        return Err(Failure::usage(message).hint("`drillctl kinds` lists them."));
    }
    if options.json {
        say_json(&kinds);
        return Ok(0);
    }
    for kind in &kinds {
        say(format_args!("{:<8} {:<10} {}", kind.family.dimmed(), kind.name.bold(), kind.summary));
        if wanted.is_some() {
            kind.fields.iter().for_each(|field| {
                let need = if field.required { "required" } else { "" };
                say(format_args!("    {:<20} {:<22} {:<8} {}", field.name.bold(), field.shape, need, field.summary));
            });
        }
    }
    Ok(0)
}
