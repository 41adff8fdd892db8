//! Whatever is given to the parser, it gives a scenario or a list of problems that can be shown; and what it takes, the
//! schema takes too.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use drill_scenarios::{Problems, Scenario, parse, parse_bytes, schema};
use proptest::prelude::*;
use serde_json::Value;

static EXAMPLES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    ["directory", "sqlite", "postgres", "command", "s3-vault", "postgres-physical", "redis", "etcd"]
        .iter()
        .map(|name| fs::read_to_string(folder.join(format!("{name}.yaml"))).expect("an example"))
        .collect()
});

static VALIDATOR: LazyLock<jsonschema::Validator> =
    LazyLock::new(|| jsonschema::validator_for(&schema()).expect("a valid schema"));

/// Everything that holds of an answer, whatever the question.
fn sound(text: &str, answer: &Result<Scenario, Problems>) {
    let problems = match answer {
        Ok(_) => return,
        Err(problems) => problems,
    };
    assert!(!problems.problems.is_empty());
    let lines = text.matches('\n').count() + 1;
    for problem in &problems.problems {
        assert!(!problem.message.is_empty() && !problem.hint.is_empty(), "{problem:?}");
        assert!((1..=lines).contains(&problem.line) && problem.column > 0 && problem.length > 0, "{problem:?}");
        assert!(!problem.hint.contains("reference of fields"), "the types refused what the schema took: {problem:?}");
        let shown = problem.excerpt.chars().chain(problem.message.chars());
        assert!(!shown.into_iter().any(char::is_control), "{problem:?}");
    }
    assert!(problems.to_string().ends_with(&problems.file) || problems.more > 0);
    serde_json::to_string(problems).expect("problems are JSON");
}

/// Values that are wrong in most places, and right in some.
fn values() -> impl Strategy<Value = Value> {
    let words =
        ["", " ", "fs", "tar", "1h", "0s", "${DRILL_PORT}", "${", "[", "../x", "age1x", "NO", "2027-01-31", "é\u{1b}"];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e9..1e9f64).prop_map(Value::from),
        proptest::sample::select(words.to_vec()).prop_map(Value::from),
        Just(serde_json::json!([])),
        Just(serde_json::json!({})),
        Just(serde_json::json!([1, "a"])),
        Just(serde_json::json!({"env": "NAME"})),
        Just(serde_json::json!({"directory": {}, "postgres": {}})),
    ]
}

/// Pointers to every value.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(map) => map.iter().for_each(|(key, below)| {
            pointers(below, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
        }),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, below)| pointers(below, &format!("{at}/{n}"), found))
        }
        _ => {}
    }
}

/// Replaces, removes or renames one value.
fn change(json: &mut Value, place: usize, how: u8, value: Value) {
    let mut all = Vec::new();
    pointers(json, "", &mut all);
    let pointer = all[place % all.len()].clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap_or_default();
    match (how % 3, json.pointer_mut(parent)) {
        (0, Some(Value::Object(map))) => _ = map.remove(key),
        (1, Some(Value::Object(map))) => {
            if let Some(old) = map.remove(key) {
                map.insert(format!("{key}x"), old);
            }
        }
        _ => {
            if let Some(place) = json.pointer_mut(&pointer) {
                *place = value;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_answered(text in "(?s).{0,400}") {
        sound(&text, &parse("f", &text));
    }

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        sound(&String::from_utf8_lossy(&bytes), &parse_bytes("f", &bytes));
    }

    #[test]
    fn an_example_with_pieces_cut_out_or_put_in_is_answered(
        example in 0usize..6,
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0usize..20, "[-:\\[\\]{}'\"#&*!|>?%@`, \t\na0é]{0,6}"), 1..4),
    ) {
        let mut letters: Vec<char> = EXAMPLES[example].chars().collect();
        for (at, length, piece) in cuts {
            let start = at.index(letters.len());
            let end = (start + length).min(letters.len());
            letters.splice(start..end, piece.chars());
            if letters.is_empty() {
                letters.push(' ');
            }
        }
        let text: String = letters.into_iter().collect();
        sound(&text, &parse("f", &text));
    }

    #[test]
    fn what_the_parser_takes_the_schema_takes_and_what_the_schema_takes_the_types_take(
        example in 0usize..6,
        changes in proptest::collection::vec((any::<usize>(), any::<u8>(), values()), 1..4),
    ) {
        let mut json: Value = serde_saphyr::from_str(&EXAMPLES[example]).expect("YAML");
        for (place, how, value) in changes {
            change(&mut json, place, how, value);
        }
        let text = serde_json::to_string_pretty(&json).expect("JSON");
        let answer = parse("f", &text);
        sound(&text, &answer);
        if answer.is_ok() {
            prop_assert!(VALIDATOR.is_valid(&json), "{}", text);
        }
    }
}

/// A test may look at the clock: how long the parser takes is what is tested.
#[allow(clippy::disallowed_methods)]
fn within(limit: Duration, work: impl FnOnce()) {
    let start = Instant::now();
    work();
    assert!(start.elapsed() < limit, "it took {:?}", start.elapsed());
}

#[test]
fn a_file_that_is_too_big_is_refused_at_once() {
    let text = "a: b\n".repeat(2_000_000);
    within(Duration::from_secs(1), || {
        let problems = parse("big", &text).expect_err("ten megabytes");
        assert!(problems.to_string().contains("too big"), "{problems}");
    });
}

#[test]
fn a_file_full_of_mistakes_is_answered_soon_and_shortly() {
    let lines = |line: &dyn Fn(usize) -> String| (0..10_000).map(line).collect::<String>();
    within(Duration::from_secs(60), || {
        let deep = lines(&|number| format!("key{number}: [\n"));
        sound(&deep, &parse("deep", &deep));
        let wide = format!("{{{}}}", lines(&|number| format!("password{number}: x,")));
        sound(&wide, &parse("wide", &wide));
        let problems = parse("many", &lines(&|number| format!("key{number}: {number}\n"))).expect_err("only mistakes");
        assert_eq!(problems.problems.len(), 100);
        assert!(problems.more > 9_000);
    });
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_do_not_matter() {
    let text = format!("\u{feff}{}", EXAMPLES[0].replace('\n', "\r\n"));
    assert_eq!(parse("f", &text).expect("a scenario"), parse("f", &EXAMPLES[0]).expect("a scenario"));
}
