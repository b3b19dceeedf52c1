//! Compiles the protos in pure Rust: no protoc is needed.

use std::path::PathBuf;

use prost::Message;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(["cartwright/v1/recommendation.proto"], ["proto"])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), files.encode_to_vec())?; // for reflection
    tonic_prost_build::configure().build_client(true).compile_fds(files)?;
    Ok(())
}
