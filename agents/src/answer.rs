//! The answer of a query on its way: row by row, so that one of any length takes little memory.

use std::fmt;

use tokio::sync::mpsc;

use crate::{Error, Kind, Result};

/// Rows that are on their way at a time.
const UNDERWAY: usize = 256;
/// Rows of an answer that are kept.
const KEPT: u64 = 1_000;

/// One row: text or NULL, by column.
pub type Row = Vec<Option<String>>;

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Names of the columns. An answer begins here; of several statements that answer the last counts.
    Columns(Vec<String>),
    /// The next row.
    Row(Row),
}

/// The end at which an answer is told.
#[derive(Clone)]
pub struct Answer(mpsc::Sender<Told>);

/// The end at which it is heard.
pub type Heard = mpsc::Receiver<Told>;

impl Answer {
    /// Both ends.
    pub fn channel() -> (Self, Heard) {
        let (told, heard) = mpsc::channel(UNDERWAY);
        (Self(told), heard)
    }

    /// Tells the next piece.
    ///
    /// # Errors
    /// [`Kind::Interrupted`] if nobody listens any more.
    pub async fn tell(&self, told: Told) -> Result<()> {
        self.0.send(told).await.map_err(|_| unheard())
    }

    /// The same on a thread that may wait.
    ///
    /// # Errors
    /// As [`Answer::tell`].
    pub fn tell_from_thread(&self, told: Told) -> Result<()> {
        self.0.blocking_send(told).map_err(|_| unheard())
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer")
    }
}

fn unheard() -> Error {
    Error::new(Kind::Interrupted, "nobody waits for the answer any more")
}

/// The beginning of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The first thousand rows.
    pub rows: Vec<Row>,
    /// How many rows there are.
    pub count: u64,
}

impl Rows {
    /// Hears all that `ask` tells, and keeps the beginning.
    ///
    /// # Errors
    /// Those of `ask`.
    pub async fn of<F: Future<Output = Result<()>>>(ask: impl FnOnce(Answer) -> F) -> Result<Self> {
        let (answer, mut heard) = Answer::channel();
        let keep = async {
            let mut rows = Self::default();
            while let Some(told) = heard.recv().await {
                rows.take(told);
            }
            Ok(rows)
        };
        let ((), rows) = tokio::try_join!(ask(answer), keep)?;
        Ok(rows)
    }

    fn take(&mut self, told: Told) {
        match told {
            Told::Columns(columns) => *self = Self { columns, ..Self::default() },
            Told::Row(row) => {
                self.count += 1;
                if self.count <= KEPT {
                    self.rows.push(row);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_beginning_is_kept_and_all_of_it_counted() {
        let rows = Rows::of(async |answer: Answer| {
            answer.tell(Told::Columns(vec!["n".into()])).await?;
            for n in 0..KEPT + 500 {
                answer.tell(Told::Row(vec![Some(n.to_string())])).await?;
            }
            Ok(())
        });
        let rows = rows.await.expect("an answer");
        assert_eq!((rows.columns.len(), rows.rows.len(), rows.count), (1, 1_000, 1_500));
        assert_eq!(rows.rows[999], [Some("999".into())]);
    }

    #[tokio::test]
    async fn of_several_answers_the_last_counts() {
        let rows = Rows::of(async |answer: Answer| {
            for (name, value) in [("a", "1"), ("b", "2")] {
                answer.tell(Told::Columns(vec![name.into()])).await?;
                answer.tell(Told::Row(vec![Some(value.into())])).await?;
            }
            Ok(())
        });
        let expected = Rows { columns: vec!["b".into()], rows: vec![vec![Some("2".into())]], count: 1 };
        assert_eq!(rows.await.expect("an answer"), expected);
    }

    #[tokio::test]
    async fn who_tells_what_nobody_hears_stops() {
        let (answer, heard) = Answer::channel();
        drop(heard);
        let error = answer.tell(Told::Row(Vec::new())).await.expect_err("unheard");
        assert_eq!(error.kind(), Kind::Interrupted);
    }
}
