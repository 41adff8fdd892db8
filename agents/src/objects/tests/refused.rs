//! What can't be restored is never passed over.

use super::*;

async fn told(objects: &[(&str, &str)], prefix: &str) -> (Kind, String) {
    let bench = Bench::new([]).await;
    bench.store.change(|all| {
        all.extend(objects.iter().map(|(key, content)| ((*key).to_owned(), Object::of(content.as_bytes().to_vec()))));
    });
    let captured = bench.refused(prefix).await;
    (captured.kind(), captured.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_can_be_no_file_is_named_before_anything_is_taken() {
    let long = format!("p/{}", "n".repeat(300));
    for (key, beside, words) in [
        ("p/a//b", "p/a/b", "object a//b can't be restored"),
        ("p//a", "p/a", "object /a can't be restored"),
        ("p/../q", "p/q", "object ../q can't be restored"),
        ("p/a ", "p/a", "object a  can't be restored"),
        ("p/a", "p/a/b", "object a/b can't be restored as a file: a is an object too"),
        (&long, "p/a", "has a name of over 255 bytes"),
    ] {
        let (kind, told) = told(&[(beside, "other"), (key, "this")], "p").await;
        assert!(kind == Kind::Config && told.contains(words), "{key}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_estimate_names_several_keys_at_once_and_what_is_left_out_is_not_in_the_way() {
    let bench = Bench::new([("p/a//b", Object::of("x")), ("p/c", Object::of("y")), ("p/d//e", Object::of("z"))]).await;
    let error = bench.source("p", &[]).estimate(&bench.cx).await.expect_err("two keys");
    assert!(error.to_string().contains("a//b") && error.to_string().contains("d//e"), "{error}");
    assert_eq!(bench.store.asked("get"), 0);
    let source = bench.source("p", &["a", "d/**", "nothing"]);
    let (captured, _) = trial::captured(&source, &bench.cx).await.expect("captured");
    assert_eq!(paths(&captured), ["c"]);
    let expected = [
        ("a", "1 object was left out by the exclusion `a`."),
        ("d/**", "1 object was left out by the exclusion `d/**`."),
        ("nothing", "Nothing matched the exclusion `nothing`."),
    ];
    assert_eq!(notes(&captured), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_whole_bucket_a_key_that_begins_with_a_slash_is_never_taken_for_another() {
    for objects in [&[("/x", "slash")][..], &[("/x", "slash"), ("x", "plain")], &[("/x", "slash"), ("a", "plain")]] {
        let (kind, told) = told(objects, "").await;
        assert!(kind == Kind::Unavailable && told.contains('x') || told.contains("listing"), "{objects:?}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_ends_with_a_slash_and_has_content_is_refused() {
    let (kind, told) = told(&[("p/folder/", "content after all"), ("p/x", "x")], "p").await;
    assert_eq!(kind, Kind::Config);
    assert_eq!(
        told,
        "object folder/ can't be restored as a file: its key ends with a slash, and a folder has no content"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_without_an_object_is_no_backup() {
    let bench = Bench::new([("p/x", Object::of("x")), ("folders/a/", Object::of(""))]).await;
    for error in [
        bench.refused("q").await,
        bench.refused("folders").await,
        bench.source("folders", &[]).estimate(&bench.cx).await.expect_err("folders only"),
        bench.source("q", &[]).estimate(&bench.cx).await.expect_err("nothing"),
        bench.source("p", &["x"]).estimate(&bench.cx).await.expect_err("nothing is left"),
    ] {
        assert!(error.kind() == Kind::NotFound && error.to_string().starts_with("there is no object in"), "{error}");
    }
    bench.store.meanwhile(|verb, _, all| {
        all.retain(|_, _| verb != "get");
        None
    });
    let error = bench.refused("p").await;
    assert!(error.to_string().starts_with("there is no object in"), "all of it vanished: {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_may_not_be_read_ends_the_capture_and_is_named() {
    let bench = Bench::new([("p/open", Object::of("x")), ("p/secret", Object::of("y"))]).await;
    bench.store.meanwhile(|_, key, _| (key == "p/secret").then_some(s3s::S3ErrorCode::AccessDenied));
    let error = bench.refused("p").await;
    assert_eq!(error.kind(), Kind::Denied);
    assert!(error.to_string().contains("secret"), "{error}");
    assert!(error.next_step().is_some_and(|hint| hint.contains("archived")), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_below_the_prefix_is_refused_by_whatever_name_its_server_goes() {
    let bench = Bench::new([("p/x", Object::of("x"))]).await;
    let vault =
        |prefix: &str, host: &str| crate::Vault::open(&bench.place(prefix, host), &bench.cx.secrets).expect("a vault");
    let source = bench.source("p", &["backups"]);
    for (prefix, host) in [("p", "127.0.0.1"), ("p/drills", "127.0.0.1"), ("p/drills", "localhost")] {
        let error = source.admit_vault(&vault(prefix, host)).await.expect_err(prefix);
        assert_eq!(error.kind(), Kind::Refused, "{error}");
    }
    for prefix in ["", "drills", "p/backups", "pictures"] {
        source.admit_vault(&vault(prefix, "127.0.0.1")).await.expect(prefix);
    }
}
