//! Nothing: the package is there for its bench, `cargo bench -p parts`.
