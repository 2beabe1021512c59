//! The document, closed, and real requests held against it.

use super::document;
use anyhow::{Context, Result, ensure};
use jsonschema::Validator;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use upriver_tests::Collector;

/// Closes every object that says its properties and not whether there may be others.
fn close(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(close);
            let described = fields.get("type") == Some(&json!("object"));
            if described && fields.get("properties").is_some_and(Value::is_object) {
                fields.entry("additionalProperties").or_insert(json!(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => (),
    }
}

/// The document, and what of it was met.
pub(super) struct Contract {
    pub(super) closed: Value,
    validators: RefCell<BTreeMap<String, Validator>>,
    /// Method, path and kind of status.
    pub(super) met: RefCell<BTreeSet<(String, String, String)>>,
}

/// What is sent: method, path of the document, address.
pub(super) struct Ask<'a>(pub(super) &'a str, pub(super) &'a str, pub(super) String);

impl Contract {
    pub(super) fn new() -> Result<Self> {
        let mut closed = document()?;
        close(&mut closed);
        Ok(Self {
            closed,
            validators: RefCell::default(),
            met: RefCell::default(),
        })
    }

    /// Holds a value against a schema of the document.
    pub(super) fn check(&self, schema: &Value, value: &Value) -> Result<()> {
        let mut validators = self.validators.borrow_mut();
        let key = schema.to_string();
        if !validators.contains_key(&key) {
            let mut whole = schema.clone();
            whole["components"] = self.closed["components"].clone();
            whole["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
            validators.insert(key.clone(), jsonschema::validator_for(&whole)?);
        }
        let errors: Vec<_> = validators[&key]
            .iter_errors(value)
            .map(|error| format!("{} at {}", error, error.instance_path()))
            .collect();
        ensure!(errors.is_empty(), "{key}: {} in {value}", errors.join("; "));
        Ok(())
    }

    /// What the document refers to, or the thing itself.
    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let target = value["$ref"].as_str().and_then(|to| to.strip_prefix('#'));
        target
            .and_then(|to| self.closed.pointer(to))
            .unwrap_or(value)
    }

    pub(super) fn operation(&self, method: &str, path: &str) -> Result<&Value> {
        let found = &self.closed["paths"][path][method.to_lowercase()];
        ensure!(found.is_object(), "the document has no {method} {path}");
        Ok(found)
    }

    pub(super) fn parameters(&self, operation: &Value) -> Vec<Value> {
        let all = operation["parameters"].as_array();
        let all = all.into_iter().flatten();
        all.map(|parameter| self.resolve(parameter).clone())
            .collect()
    }

    /// Sends something that the document describes and holds the answer against it. Returns the status and
    /// the answer.
    pub(super) async fn ask(
        &self,
        collector: &Collector,
        Ask(method, path, address): Ask<'_>,
        body: Option<Value>,
        token: &str,
    ) -> Result<(u16, Value)> {
        let operation = self.operation(method, path)?;
        let url = format!("{}{address}", collector.url);
        let method_name = reqwest::Method::from_bytes(method.as_bytes())?;
        let mut request = collector.http.request(method_name, url);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let kind = response.headers().get("content-type");
        let kind = kind
            .map(|kind| kind.to_str().map(str::to_owned))
            .transpose()?;
        let text = response.text().await?;
        let what = format!("{method} {address}: {status} {text}");

        let range = format!("{}XX", status / 100);
        let responses = &operation["responses"];
        let described = responses.get(status.to_string());
        let described = described.or_else(|| responses.get(&range));
        let described = self.resolve(described.with_context(|| format!("undescribed: {what}"))?);
        let key = (method.to_owned(), path.to_owned(), range);
        self.met.borrow_mut().insert(key);
        if text.is_empty() {
            return Ok((status, Value::Null));
        }
        let kind = kind.with_context(|| format!("no type: {what}"))?;
        let kind = kind.split(';').next().unwrap_or_default();
        let content = described["content"].get(kind);
        let content = content.with_context(|| format!("{kind} is undescribed: {what}"))?;
        if kind != "application/json" {
            return Ok((status, Value::String(text)));
        }
        let answer: Value = serde_json::from_str(&text)?;
        if let Some(schema) = content.get("schema") {
            self.check(schema, &answer).context(what)?;
        }
        // What is taken must be what the document says is taken.
        if let (200..300, Some(body)) = (status, &body) {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            self.check(schema, body)?;
        }
        Ok((status, answer))
    }
}
