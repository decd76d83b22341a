// SPDX-License-Identifier: MIT OR Apache-2.0

//! This tree keeps the rules of `deny.toml`, and a tree that does not is told so.

use std::path::{Path, PathBuf};

use ax650_release::graph::Graph;
use ax650_release::policy::Policy;
use serde_json::{json, Value};

fn tree() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_crates_of_this_tree_keep_the_rules() {
    let policy = Policy::of(&tree()).unwrap();
    let graph = Graph::of(&tree(), policy.targets()).unwrap();
    assert!(graph.packages().len() > 50);
    assert_eq!(policy.broken(&graph), Vec::<String>::new());
}

/// A workspace of one crate that needs one other, described by `other`.
fn broken(other: Value) -> Vec<String> {
    let mut package = json!({
        "id": "other", "name": "other", "version": "1.0.0", "license": "MIT",
        "targets": [], "features": {}, "manifest_path": "/other/Cargo.toml",
        "source": "registry+https://github.com/rust-lang/crates.io-index", "dependencies": [],
    });
    for (key, value) in other.as_object().unwrap() {
        package[key] = value.clone();
    }
    let own = json!({
        "id": "own", "name": "own", "version": "1.0.0", "license": "MIT", "source": null,
        "targets": [], "features": {}, "manifest_path": "/own/Cargo.toml",
        "dependencies": package["asked"].as_array().cloned().unwrap_or_default(),
    });
    let graph = json!({
        "packages": [own, package],
        "workspace_members": ["own"], "workspace_root": "/own", "target_directory": "/target",
        "version": 1,
        "resolve": { "root": null, "nodes": [
            { "id": "own", "dependencies": ["other"], "deps": [
                { "name": "other", "pkg": "other", "dep_kinds": [{ "kind": null, "target": null }] },
            ] },
            { "id": "other", "dependencies": [], "deps": [] },
        ] },
    });
    let graph = Graph::new(serde_json::from_value(graph).unwrap()).unwrap();
    Policy::of(&tree()).unwrap().broken(&graph)
}

#[test]
fn licences() {
    for good in [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-3.0-only OR MIT",
        "MIT AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception",
    ] {
        assert_eq!(broken(json!({ "license": good })), Vec::<String>::new());
    }
    for bad in [
        "GPL-3.0-only",
        "MIT AND GPL-3.0-only",
        "WTFPL",
        "GPL-2.0-only WITH LLVM-exception",
        "MIT OR",
        "",
    ] {
        assert_eq!(broken(json!({ "license": bad })).len(), 1, "{bad}");
    }
    assert_eq!(
        broken(json!({ "license": null })),
        ["other 1.0.0: has no licence"]
    );
    // An exception is for one crate.
    let exception = json!({ "name": "ffmpeg-next", "license": "WTFPL" });
    assert_eq!(broken(exception), Vec::<String>::new());
}

#[test]
fn sources() {
    for bad in [
        "git+https://example.org/other#0123",
        "registry+https://example.org/index",
        "registry+https://github.com/rust-lang/crates.io-index.example.org",
    ] {
        assert_eq!(broken(json!({ "source": bad })).len(), 1, "{bad}");
    }
    assert_eq!(broken(json!({ "source": null })).len(), 1);
}

#[test]
fn bans() {
    assert_eq!(broken(json!({ "name": "openssl-sys" })).len(), 1);
    // Others than those that may.
    assert_eq!(
        broken(json!({ "name": "tokio" })),
        ["tokio 1.0.0: not wanted here, but own needs it"]
    );
    let asked = json!([{ "name": "other", "req": "*", "path": null, "source": null,
        "kind": null, "optional": false, "uses_default_features": true, "features": [], "target": null }]);
    assert_eq!(broken(json!({ "asked": asked })).len(), 1);
    let by_path = json!([{ "name": "other", "req": "*", "path": "/other", "source": null,
        "kind": null, "optional": false, "uses_default_features": true, "features": [], "target": null }]);
    assert_eq!(broken(json!({ "asked": by_path })), Vec::<String>::new());
}

#[test]
fn rules_that_are_not_checked_are_refused() {
    let text = std::fs::read_to_string(tree().join("deny.toml")).unwrap();
    for more in ["[advisories]\n", "[bans.build]\n"] {
        assert!(Policy::parse(&format!("{text}\n{more}")).is_err(), "{more}");
    }
    let lax = text.replace("unknown-git = \"deny\"", "unknown-git = \"warn\"");
    assert!(Policy::parse(&lax).is_err());
}
