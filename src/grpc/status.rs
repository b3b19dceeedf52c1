//! Errors as gRPC statuses.

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use crate::error::Error;

/// Said while there is nothing to answer from.
pub(super) const NOT_YET: &str = "the index is still being loaded";

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            Error::InvalidRequest(violations) => {
                let fields: Vec<FieldViolation> = violations
                    .into_iter()
                    .map(|violation| FieldViolation::new(violation.field, violation.description))
                    .collect();
                let summary = fields
                    .iter()
                    .map(|v| format!("{}: {}", v.field, v.description))
                    .collect::<Vec<_>>()
                    .join("; ");
                let details = ErrorDetails::with_bad_request(fields);
                Status::with_error_details(Code::InvalidArgument, summary, details)
            }
            Error::Unavailable(why) => Status::unavailable(why),
            // What went wrong inside is for the log, not for the client.
            Error::Io { .. }
            | Error::Input(_)
            | Error::Refused(_)
            | Error::Index { .. }
            | Error::Config(_)
            | Error::Server(_) => {
                tracing::error!(%error, "a request can't be answered");
                Status::internal("the index can't be used; the server's log says more")
            }
        }
    }
}
