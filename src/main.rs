//! The `sandlot` command.
fn main() {}
