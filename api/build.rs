//! Tells the pages' embedding where the built dashboard is. Never runs npm: a build that reaches for the network
//! by itself is not a build one can trust, and most people who change Rust have no use for it.

use std::path::Path;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let built = root.join("../dashboard/dist");
    let pages = if built.join("graphiql.html").exists() {
        built.clone()
    } else {
        root.join("src/assets/not_built")
    };
    println!("cargo::rustc-env=SYNCLINE_PAGES={}", pages.display());
    // Watching the folder's parent notices the first build too.
    let watched = if built.exists() {
        built
    } else {
        root.join("../dashboard")
    };
    println!("cargo::rerun-if-changed={}", watched.display());
    println!("cargo::rerun-if-changed=build.rs");
}
