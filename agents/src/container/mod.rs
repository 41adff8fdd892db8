//! Containers of an engine that speaks Docker's API: what is asked of it, and what of it is a run's.
//!
//! Everything that a run makes there carries the run's label, and only what carries it is removed. Nothing is pulled.

mod app;
mod confined;
mod engine;
mod image;
mod label;
mod output;
mod running;
mod told;

pub(crate) use self::app::{Outline, Started, State, admit_user, start, state};
pub(crate) use self::confined::{Mount, confined};
pub(crate) use self::engine::Engine;
pub(crate) use self::image::{Found, find};
pub(crate) use self::label::{container_name, empty_image, labels, release};
pub(crate) use self::output::last_words;
pub(crate) use self::running::{Contained, kill};
pub(crate) use self::told::beside;
