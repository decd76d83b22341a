// SPDX-License-Identifier: MIT OR Apache-2.0

//! The routes.

use std::collections::hash_map::RandomState;
use std::convert::Infallible;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use ax650_llm::{Answer, Description};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::sse::{Event as Sent, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{json, Value};
use tokio::sync::mpsc::{channel, Receiver};
use tokio_stream::wrappers::ReceiverStream;

use super::api::{finish_reason, ApiError, Request};
use super::workers::{Event, Work, Workers};

/// Largest body of a request, and of one that may have pictures.
const MAX_BODY: usize = 1 << 20;
const MAX_BODY_WITH_PICTURES: usize = 8 << 20;

/// Pieces of an answer that wait for a client that is slow.
const AHEAD: usize = 64;

struct App {
    workers: Arc<Workers>,
    model: String,
    since: u64,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self.body())).into_response()
    }
}

/// Returns the routes of a server of the model that is described so.
pub fn app(workers: Arc<Workers>, description: &Description) -> Router {
    let app = App {
        workers,
        model: description.name.clone(),
        since: now(),
    };
    let most = match description.vision {
        Some(_) => MAX_BODY_WITH_PICTURES,
        None => MAX_BODY,
    };
    Router::new()
        .route("/v1/models", get(models))
        .route("/v1/chat/completions", post(complete))
        .fallback(|| async {
            ApiError::new(404, "invalid_request_error", "there is no such thing")
        })
        .method_not_allowed_fallback(|| async {
            ApiError::new(405, "invalid_request_error", "not with this method")
        })
        .layer(DefaultBodyLimit::max(most))
        .with_state(Arc::new(app))
}

async fn models(State(app): State<Arc<App>>) -> Json<Value> {
    let model =
        json!({"id": app.model, "object": "model", "created": app.since, "owned_by": "ax650"});
    Json(json!({"object": "list", "data": [model]}))
}

async fn complete(
    State(app): State<Arc<App>>,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, ApiError> {
    let body = body.map_err(|error| {
        ApiError::new(
            error.status().as_u16(),
            "invalid_request_error",
            error.body_text(),
        )
    })?;
    let request = Request::parse(&body)?;
    if let Some(other) = request.model.as_ref().filter(|model| **model != app.model) {
        let text = format!("model: {other:?} is not here; {:?} is", app.model);
        let mut error = ApiError::invalid(Some("model"), text);
        error.status = 404;
        return Err(error);
    }
    let (to, mut events) = channel(AHEAD);
    app.workers.submit(Work {
        messages: request.messages()?,
        options: request.options(RandomState::new().build_hasher().finish()),
        to,
    })?;
    let head = Head {
        id: format!(
            "chatcmpl-{:016x}",
            RandomState::new().build_hasher().finish()
        ),
        created: now(),
        model: app.model.clone(),
    };
    if !request.stream {
        return whole(&head, &mut events)
            .await
            .map(IntoResponse::into_response);
    }
    // What fails at once has a status of its own.
    let first = match events.recv().await {
        Some(Event::Failed(error)) => return Err(error),
        Some(event) => event,
        None => return Err(gone()),
    };
    Ok(stream(head, first, events, request.wants_usage()).into_response())
}

/// What all pieces of an answer begin with.
struct Head {
    id: String,
    created: u64,
    model: String,
}

impl Head {
    fn piece(&self, object: &str, choices: Value) -> Value {
        json!({
            "id": self.id, "object": object, "created": self.created, "model": self.model, "choices": choices,
        })
    }

    fn delta(&self, delta: Value, finish_reason: Option<&str>) -> Value {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish_reason});
        self.piece("chat.completion.chunk", json!([choice]))
    }
}

/// Waits for all of an answer.
async fn whole(head: &Head, events: &mut Receiver<Event>) -> Result<Json<Value>, ApiError> {
    loop {
        match events.recv().await {
            Some(Event::Text(_)) => {}
            Some(Event::Failed(error)) => return Err(error),
            None => return Err(gone()),
            Some(Event::Done(answer)) => {
                let choice = json!({
                    "index": 0,
                    "message": {"role": "assistant", "content": answer.text},
                    "finish_reason": finish_reason(answer.end),
                });
                let mut piece = head.piece("chat.completion", json!([choice]));
                piece["usage"] = usage(&answer);
                return Ok(Json(piece));
            }
        }
    }
}

/// Sends an answer as it comes.
fn stream(
    head: Head,
    first: Event,
    mut rest: Receiver<Event>,
    with_usage: bool,
) -> impl IntoResponse {
    let (to, pieces) = channel(AHEAD);
    tokio::spawn(async move {
        let mut next = Some(first);
        let mut data = vec![head
            .delta(json!({"role": "assistant", "content": ""}), None)
            .to_string()];
        while let Some(event) = next {
            match event {
                Event::Text(text) => {
                    data.push(head.delta(json!({"content": text}), None).to_string())
                }
                Event::Failed(error) => data.push(error.body().to_string()),
                Event::Done(answer) => {
                    let end = head.delta(json!({}), Some(finish_reason(answer.end)));
                    data.push(end.to_string());
                    if with_usage {
                        let mut piece = head.piece("chat.completion.chunk", json!([]));
                        piece["usage"] = usage(&answer);
                        data.push(piece.to_string());
                    }
                    data.push("[DONE]".into());
                }
            }
            for data in data.drain(..) {
                // Who has hung up is not answered any more: with this ends what the worker sends to.
                if to
                    .send(Ok::<_, Infallible>(Sent::default().data(data)))
                    .await
                    .is_err()
                {
                    return;
                }
            }
            next = rest.recv().await;
        }
    });
    Sse::new(ReceiverStream::new(pieces))
}

fn usage(answer: &Answer) -> Value {
    let (prompt, made) = (answer.prompt_tokens, answer.tokens.len());
    json!({
        "prompt_tokens": prompt,
        "completion_tokens": made,
        "total_tokens": prompt + made,
        "prompt_tokens_details": {"cached_tokens": answer.reused_tokens},
    })
}

fn gone() -> ApiError {
    ApiError::new(500, "server_error", "the answer broke off")
}

/// Seconds since 1970.
fn now() -> u64 {
    let time = SystemTime::now().duration_since(UNIX_EPOCH);
    time.map_or(0, |time| time.as_secs())
}
