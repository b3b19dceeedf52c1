//! Compiles the protos in pure Rust: no protoc is needed.

use std::path::PathBuf;

use prost::Message;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(["cartwright/v1/recommendation.proto"], ["proto"])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), files.encode_to_vec())?; // for reflection
    tonic_prost_build::configure()
        // For `ask --json`: the reply as JSON, a reason under its own name.
        .message_attribute(".", "#[derive(serde::Serialize)]")
        .enum_attribute(".", "#[derive(serde::Serialize)] #[serde(rename_all = \"snake_case\")]")
        .field_attribute("cartwright.v1.Reason.why", "#[serde(flatten)]")
        .compile_fds(files)?;
    Ok(())
}
