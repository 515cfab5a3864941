//! Documents that are known to be good for a schema, kept by their text.
//!
//! A program sends the same few documents again and again, and each has to be parsed and validated
//! once.

use apollo_compiler::ExecutableDocument;
use apollo_compiler::validation::Valid;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes of the longest document that is kept.
const LONGEST: usize = 4 * 1024;

/// Bytes of text that are kept per schema. What is parsed takes many times as much.
const KEPT: usize = 64 * 1024;

/// The documents of one schema, the ones used least lately forgotten first.
#[derive(Debug, Default)]
pub struct Documents(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    by_text: HashMap<Box<str>, (Arc<Valid<ExecutableDocument>>, u64)>,
    bytes: usize,
    clock: u64,
}

impl Documents {
    /// The document of that text, if it is kept.
    pub fn get(&self, text: &str) -> Option<Arc<Valid<ExecutableDocument>>> {
        if text.len() > LONGEST {
            return None;
        }
        let mut kept = self.0.lock();
        kept.clock += 1;
        let now = kept.clock;
        let (document, used) = kept.by_text.get_mut(text)?;
        *used = now;
        Some(Arc::clone(document))
    }

    /// Keeps a document, unless it is a long one.
    pub fn put(&self, text: &str, document: &Arc<Valid<ExecutableDocument>>) {
        if text.len() > LONGEST {
            return;
        }
        let mut kept = self.0.lock();
        while kept.bytes + text.len() > KEPT {
            // A scan of what fits into so few bytes costs less than the parsing that led here.
            let oldest = kept.by_text.iter().min_by_key(|(_, (_, used))| *used);
            let Some(oldest) = oldest.map(|(text, _)| text.clone()) else {
                break;
            };
            kept.by_text.remove(&oldest);
            kept.bytes -= oldest.len();
        }
        kept.clock += 1;
        let entry = (Arc::clone(document), kept.clock);
        if kept.by_text.insert(text.into(), entry).is_none() {
            kept.bytes += text.len();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use apollo_compiler::Schema;

    #[test]
    fn the_least_used_document_goes_first() {
        let schema = Schema::parse_and_validate("type Query { a: Int }", "s").unwrap();
        let document = ExecutableDocument::parse_and_validate(&schema, "{ a }", "d").unwrap();
        let (documents, document) = (Documents::default(), Arc::new(document));
        let text = |n: usize| format!("{{ a }} #{n:04089}");
        for n in 0..KEPT / LONGEST {
            documents.put(&text(n), &document);
        }
        assert!(documents.get(&text(0)).is_some());
        documents.put(&text(100), &document);
        assert!(documents.get(&text(0)).is_some());
        assert!(documents.get(&text(1)).is_none());
        assert!(documents.get(&text(100)).is_some());
        documents.put(&" ".repeat(LONGEST + 1), &document);
        assert!(documents.get(&" ".repeat(LONGEST + 1)).is_none());
    }
}
