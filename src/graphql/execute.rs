//! One operation from its document to its answer.

use super::compile::{Compiler, Figure, Source, Step};
use super::envelope::Envelope;
use super::faults::Fault;
use super::json::Variables;
use super::limits;
use super::schema::{Schema, Schemas};
use super::shape::Root;
use crate::data::json::{members, write_string};
use crate::data::ledger::{self, Replay};
use crate::data::nested::Change;
use crate::data::once::Once;
use crate::data::plan::Rules;
use crate::data::request::Request;
use crate::data::rows::Format;
use crate::data::run::{Keep, MAX_ANSWER};
use crate::data::{self, Answer, Ask, Spine};
use crate::edge::visit::Visit;
use crate::problem::{Kind, Problem};
use apollo_compiler::ast::Document;
use apollo_compiler::executable::Operation;
use apollo_compiler::response::JsonMap;
use apollo_compiler::validation::{Valid, WithErrors};
use apollo_compiler::{ExecutableDocument, introspection, request};
use std::collections::HashMap;
use std::sync::Arc;
use tenants::Identity;

/// Bytes of a document that takes too long to parse for the threads that answer others.
const LARGE: usize = 2 * 1024;

/// Who asks, where, and what becomes of writes.
#[derive(Clone, Copy)]
pub struct On<'a> {
    /// Answers requests.
    pub spine: &'a Spine,
    /// Schemas made before.
    pub schemas: &'a Schemas,
    /// Who logs in, and to which schema.
    pub identity: &'a Identity,
    /// What the caller may see and do.
    pub rules: &'a Rules,
    /// Whether writes are kept.
    pub keep: Keep,
    /// What a mutation is called by, if it is to be made once, and what its answer is to HTTP.
    pub once: Option<(&'a Replay, Render<'a>)>,
    /// Where what the operation costs is drawn.
    pub visit: &'a Visit,
}

/// What an outcome is to HTTP.
pub type Render<'a> = &'a (dyn Fn(&Outcome) -> ledger::Reply + Send + Sync);

/// What came of an operation.
#[derive(Debug, Default)]
pub struct Outcome {
    /// JSON text of `data`; none if nothing was executed.
    pub data: Option<Vec<u8>>,
    /// What went wrong.
    pub faults: Vec<Fault>,
    /// Whether something was written, kept or not.
    pub wrote: bool,
    /// The answer to HTTP instead, if the ledger keeps it.
    pub kept: Option<ledger::Reply>,
}

/// A document that is known to be good, and the schema that it is good for.
pub(super) struct Ready {
    pub(super) schema: Arc<Schema>,
    pub(super) document: Arc<Valid<ExecutableDocument>>,
}

/// Executes an operation.
///
/// # Errors
/// A problem that is no fault of the operation's: the database is out of reach, or the operation
/// asks for more than the caller's limit has left.
pub async fn execute(on: On<'_>, envelope: Envelope) -> Result<Outcome, Problem> {
    let ready = match known(on, &envelope.query).await? {
        Some(ready) => ready,
        None => match read_document(on, envelope.query).await? {
            Ok(ready) => ready,
            Err(faults) => return Ok(Outcome::refused(faults)),
        },
    };
    let ready = Arc::new(ready);
    let name = envelope.operation;
    match compile(&ready, envelope.variables, name.as_deref()) {
        Ok(mut compiled) => {
            // A field at the top is one statement, and draws what a call of its own would.
            on.visit.charge(compiled.steps.len()).await?;
            let asked = compiled.variables.take();
            let introspected = match asked {
                Some(variables) => introspect(ready, name, variables).await?,
                None => Ok(Introspected::new()),
            };
            Ok(match introspected {
                Ok(introspected) => run(on, compiled, introspected).await?,
                Err(fault) => Outcome::refused(vec![*fault]),
            })
        }
        Err(fault) => Ok(Outcome::refused(vec![*fault])),
    }
}

impl Outcome {
    fn refused(faults: Vec<Fault>) -> Self {
        Self {
            faults,
            ..Self::default()
        }
    }
}

/// The document, if the same text was good for the same schema before. No connection is taken to
/// find that out: the text may be rubbish.
async fn known(on: On<'_>, query: &str) -> Result<Option<Ready>, Problem> {
    let Some(catalog) = on.spine.known_catalog(on.identity) else {
        return Ok(None);
    };
    let schema = on.schemas.get(&catalog, on.rules).await?;
    let document = schema.documents.get(query);
    Ok(document.map(|document| Ready { schema, document }))
}

/// Parses a document, measures it, and validates it.
async fn read_document(on: On<'_>, query: String) -> Result<Result<Ready, Vec<Fault>>, Problem> {
    let text = query.clone();
    let parsed = if text.len() > LARGE {
        let done = tokio::task::spawn_blocking(move || parse(query)).await;
        done.map_err(|error| Problem::new(Kind::InternalError).because(error))?
    } else {
        parse(query)
    };
    let document = match parsed {
        Ok(document) => document,
        Err(faults) => return Ok(Err(faults)),
    };
    if let Err(problem) = limits::check(&document) {
        return Ok(Err(vec![Fault::whole(problem)]));
    }
    let ready = ready(on, &document).await?;
    if let Ok(ready) = &ready {
        ready.schema.documents.put(&text, &ready.document);
    }
    Ok(ready)
}

pub(super) fn parse(query: String) -> Result<Document, Vec<Fault>> {
    apollo_compiler::parser::Parser::new()
        .token_limit(limits::MAX_TOKENS)
        .recursion_limit(limits::MAX_NESTING)
        .parse_ast(query, "operation.graphql")
        .map_err(faults)
}

/// What the library has against a document.
pub(super) fn faults<T>(error: WithErrors<T>) -> Vec<Fault> {
    let errors = error.errors.iter().map(|error| error.to_json());
    errors.map(Fault::of_document).collect()
}

/// Validates the document. A fault may come from a table that was made a moment ago, so before
/// it is believed the schema is looked at again.
async fn ready(on: On<'_>, document: &Document) -> Result<Result<Ready, Vec<Fault>>, Problem> {
    let mut catalog = on.spine.catalog(on.identity).await?;
    let mut again = true;
    loop {
        let schema = on.schemas.get(&catalog, on.rules).await?;
        let error = match document.to_executable_validate(&schema.schema) {
            Ok(document) => {
                let document = Arc::new(document);
                return Ok(Ok(Ready { schema, document }));
            }
            Err(error) => error,
        };
        if again {
            again = false;
            let newer = on.spine.look_again(on.identity).await?;
            if !Arc::ptr_eq(&newer, &catalog) {
                catalog = newer;
                continue;
            }
        }
        return Ok(Err(faults(error)));
    }
}

/// An operation turned into what has to be done for it.
pub(super) struct Compiled {
    pub(super) steps: Vec<Step>,
    /// Whether it changes anything.
    writes: bool,
    /// What variables hold, if introspection is asked for.
    variables: Option<Valid<JsonMap>>,
}

pub(super) fn compile(
    ready: &Ready,
    given: Variables,
    name: Option<&str>,
) -> Result<Compiled, Box<Fault>> {
    let Ready { schema, document } = ready;
    let refused = |error| refusal(ready, &error);
    let whole = |problem| Box::new(Fault::whole(problem));
    let operation = document.operations.get(name).map_err(refused)?;
    let mut rounded = JsonMap::new();
    for (name, value) in &given {
        rounded.insert(name.as_str(), value.rounded());
    }
    let coerced =
        request::coerce_variable_values(&schema.schema, operation, &rounded).map_err(refused)?;
    let compiler = Compiler {
        shape: &schema.shape,
        document,
        variables: &defined(operation, given),
    };
    let steps = compiler.steps(&operation.selection_set).map_err(whole)?;
    limits::check_nested(steps.iter().flat_map(|step| &step.children)).map_err(whole)?;
    limits::check_values(steps.iter().filter_map(Step::request)).map_err(whole)?;
    let introspects = |step: &Step| matches!(step.source, Source::Introspection);
    let variables = steps.iter().any(introspects).then_some(coerced);
    if variables.is_some() {
        introspection::check_max_depth(document, operation).map_err(refused)?;
    }
    Ok(Compiled {
        steps,
        writes: operation.is_mutation(),
        variables,
    })
}

/// What introspection says: JSON texts by the names that they are answered under.
type Introspected = HashMap<String, Vec<u8>>;

/// Introspects, and writes what comes of it. A whole schema is some hundred kilobytes, which is not for the
/// threads that answer others.
async fn introspect(
    ready: Arc<Ready>,
    name: Option<String>,
    variables: Valid<JsonMap>,
) -> Result<Result<Introspected, Box<Fault>>, Problem> {
    let work = move || {
        let Ready { schema, document } = &*ready;
        let operation = document.operations.get(name.as_deref());
        let response = operation.and_then(|operation| {
            introspection::partial_execute(
                &schema.schema,
                &schema.implementers,
                document,
                operation,
                &variables,
            )
        });
        match response {
            Ok(response) => {
                let fields = response.data.into_iter().flatten();
                let written = fields.map(|(key, value)| {
                    // A value of the library's own is always written.
                    let json = serde_json::to_vec(&value).unwrap_or_default();
                    (key.as_str().to_owned(), json)
                });
                Ok(written.collect())
            }
            Err(error) => Err(refusal(&ready, &error)),
        }
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Problem::new(Kind::InternalError).because(error))
}

fn refusal(ready: &Ready, error: &request::RequestError) -> Box<Fault> {
    let error = error.to_graphql_error(&ready.document.sources);
    Box::new(Fault::of_document(error))
}

/// The values of the variables that the operation defines, its defaults among them.
fn defined(operation: &Operation, mut given: Variables) -> Variables {
    let mut variables = Variables::new();
    for definition in &operation.variables {
        let name = definition.name.as_str();
        let value = given.remove(name).or_else(|| {
            let default = definition.default_value.as_ref()?;
            super::json::Json::of(default, &Variables::new())
        });
        if let Some(value) = value {
            variables.insert(name.to_owned(), value);
        }
    }
    variables
}

impl Step {
    fn request(&self) -> Option<&Request> {
        match &self.source {
            Source::Request(_, request) | Source::Figures(request, _) => Some(request),
            _ => None,
        }
    }

    /// Only a single row may be null.
    fn may_be_null(&self) -> bool {
        matches!(self.source, Source::Request(Root::One, _))
    }

    fn fault(&self, problem: Problem) -> Fault {
        Fault {
            problem,
            locations: self.location.into_iter().collect(),
            path: Some(self.key.clone()),
        }
    }
}

async fn run(
    on: On<'_>,
    compiled: Compiled,
    introspected: Introspected,
) -> Result<Outcome, Problem> {
    let steps = compiled.steps;
    let written = match write(on, &steps, &introspected).await {
        Ok(Written::Now(answers)) => answers,
        Ok(Written::Kept(reply)) => {
            return Ok(Outcome {
                kept: Some(reply),
                wrote: true,
                ..Outcome::default()
            });
        }
        // The header is at fault, not the operation.
        Err(fault) if fault.problem.kind == Kind::IdempotencyConflict => return Err(fault.problem),
        Err(fault) => {
            return Ok(Outcome {
                data: Some(b"null".to_vec()),
                faults: vec![fault],
                wrote: true,
                ..Outcome::default()
            });
        }
    };
    let mut written = written.into_iter();
    let mut answers = Vec::with_capacity(steps.len());
    let mut bytes = 0;
    for step in &steps {
        let answer = match &step.source {
            Source::Constant(_) | Source::Introspection => Ok(Answer::default()),
            Source::Request(root, _) if root.is_write() => {
                written.next().ok_or_else(|| Kind::InternalError.into())
            }
            Source::Request(_, request) | Source::Figures(request, _) => read(on, request).await,
        };
        bytes += answer
            .as_ref()
            .map_or(0, |answer: &Answer| answer.body.len());
        // What was written is written, and answered.
        if bytes > MAX_ANSWER && !compiled.writes {
            let problem = Problem::new(Kind::BadRequest).detail(format!(
                "The rows of all fields are more than {} MB; ask for fewer of them.",
                MAX_ANSWER >> 20
            ));
            return Ok(Outcome {
                data: Some(b"null".to_vec()),
                faults: vec![step.fault(problem)],
                ..Outcome::default()
            });
        }
        let ends = answer.is_err() && !step.may_be_null();
        answers.push(answer);
        if ends {
            break;
        }
    }
    Ok(Outcome {
        wrote: compiled.writes,
        ..assembled(&steps, &introspected, answers)
    })
}

/// `data` of the steps' answers; they end where one of them fails that may not be null.
fn assembled(
    steps: &[Step],
    introspected: &Introspected,
    answers: Vec<Result<Answer, Problem>>,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut data = String::from("{").into_bytes();
    for (at, (step, answer)) in steps.iter().zip(answers).enumerate() {
        if at > 0 {
            data.push(b',');
        }
        member(&mut data, &step.key);
        match (&step.source, answer) {
            (Source::Constant(json), _) => data.extend_from_slice(json.as_bytes()),
            (Source::Introspection, _) => {
                let json = introspected.get(step.key.as_str());
                data.extend_from_slice(json.map_or(b"null", |json| json.as_slice()));
            }
            (source, Ok(answer)) => render(&mut data, source, answer),
            (_, Err(problem)) => {
                outcome.faults.push(step.fault(problem));
                // Without any other field there is no `data`.
                if !step.may_be_null() {
                    outcome.data = Some(b"null".to_vec());
                    return outcome;
                }
                data.extend_from_slice(b"null");
            }
        }
    }
    data.push(b'}');
    outcome.data = Some(data);
    outcome
}

/// What came of an operation's writes.
enum Written {
    /// Their rows.
    Now(Vec<Answer>),
    /// The whole answer, as the ledger keeps it.
    Kept(ledger::Reply),
}

/// Runs all writes among the steps in one transaction.
async fn write(on: On<'_>, steps: &[Step], introspected: &Introspected) -> Result<Written, Fault> {
    let writing: Vec<&Step> = steps
        .iter()
        .filter(|step| matches!(step.source, Source::Request(root, _) if root.is_write()))
        .collect();
    if writing.is_empty() {
        return Ok(Written::Now(Vec::new()));
    }
    let requests: Vec<Request> = writing
        .iter()
        .filter_map(|step| step.request().cloned())
        .collect();
    let fault = |fault: data::Fault| match writing.get(fault.at) {
        Some(step) => step.fault(fault.problem),
        None => Fault::whole(fault.problem),
    };
    let nested: Option<Vec<Change>> =
        writing
            .iter()
            .any(|step| !step.children.is_empty())
            .then(|| {
                let steps = writing.iter().zip(&requests);
                let changes = steps.map(|(step, request)| Change {
                    request: request.clone(),
                    children: step.children.clone(),
                });
                changes.collect()
            });
    let (spine, identity, rules) = (on.spine, on.identity, on.rules);
    if let Some((replay, reply)) = on.once {
        let render = |answers: Vec<Answer>| {
            all_touched(&answers, &requests)?;
            let mut written = answers.into_iter();
            let answers = steps.iter().map(|step| match &step.source {
                Source::Constant(_) | Source::Introspection => Ok(Answer::default()),
                _ => written.next().ok_or_else(|| Kind::InternalError.into()),
            });
            Ok(reply(&assembled(steps, introspected, answers.collect())))
        };
        let once = Once {
            replay,
            render: &render,
        };
        let made = match nested {
            None => spine.write_once(identity, rules, &requests, once).await,
            Some(changes) => spine.nest_once(identity, rules, &changes, once).await,
        };
        return made.map(Written::Kept).map_err(fault);
    }
    let written = match nested {
        None => spine.write(identity, rules, &requests, on.keep).await,
        Some(changes) => spine.write_nested(identity, rules, &changes, on.keep).await,
    };
    let answers = written.map_err(fault)?;
    all_touched(&answers, &requests).map_err(|untouched| fault(*untouched))?;
    Ok(Written::Now(answers))
}

/// Each write has to touch a row.
fn all_touched(answers: &[Answer], requests: &[Request]) -> Result<(), Box<data::Fault>> {
    match answers.iter().position(|answer| answer.rows == 0) {
        Some(at) => Err(Box::new(data::Fault {
            at,
            problem: missed(&requests[at]),
        })),
        None => Ok(()),
    }
}

/// The problem that a write is which touched no row.
fn missed(request: &Request) -> Problem {
    match request {
        Request::Create(_) => Problem::new(Kind::CreationFailed)
            .detail("The database took the row and kept nothing of it."),
        _ => Problem::new(Kind::NotFound).detail(format!("`{}` has no such row.", request.table())),
    }
}

async fn read(on: On<'_>, request: &Request) -> Result<Answer, Problem> {
    let ask = Ask {
        identity: on.identity,
        rules: on.rules,
        request,
        format: Format::Json,
        keep: on.keep,
    };
    match on.spine.answer(ask).await {
        // A key that no row can have is the key of no row.
        Err(problem) if matches!(request, Request::One(_)) && problem.kind == Kind::NotFound => {
            Ok(Answer::default())
        }
        outcome => outcome,
    }
}

fn render(data: &mut Vec<u8>, source: &Source, answer: Answer) {
    match source {
        Source::Request(Root::List, _) => {
            data.push(b'[');
            data.extend_from_slice(&answer.body);
            data.push(b']');
        }
        Source::Figures(_, figures) => {
            let row = String::from_utf8_lossy(&answer.body);
            let measured = members(&row).unwrap_or_default();
            object(data, figures, &measured);
        }
        _ if answer.rows == 0 => data.extend_from_slice(b"null"),
        _ => data.extend_from_slice(&answer.body),
    }
}

fn object(data: &mut Vec<u8>, figures: &[Figure], measured: &[(String, &str)]) {
    data.push(b'{');
    for (at, figure) in figures.iter().enumerate() {
        if at > 0 {
            data.push(b',');
        }
        match figure {
            Figure::Constant(key, json) => {
                member(data, key);
                data.extend_from_slice(json.as_bytes());
            }
            Figure::Measure(key, at) => {
                member(data, key);
                let value = measured.get(*at).map_or("null", |(_, value)| *value);
                data.extend_from_slice(value.as_bytes());
            }
            Figure::Object(key, figures) => {
                member(data, key);
                object(data, figures, measured);
            }
        }
    }
    data.push(b'}');
}

fn member(data: &mut Vec<u8>, key: &str) {
    let mut text = String::new();
    write_string(&mut text, key);
    data.extend_from_slice(text.as_bytes());
    data.push(b':');
}
