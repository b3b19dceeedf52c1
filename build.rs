//! Compiles the protos in pure Rust: no protoc is needed.

use std::path::PathBuf;

use prost::Message;

const PROTOS: [&str; 3] = [
    "cartwright/v1/recommendation.proto",
    "cartwright/v1/customer.proto",
    "cartwright/v1/audience.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(PROTOS, ["proto"])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), files.encode_to_vec())?; // for reflection
    tonic_prost_build::configure()
        // For `ask --json`: the reply as JSON, a reason under its own name.
        .message_attribute(".", "#[derive(serde::Serialize)]")
        .enum_attribute(".", "#[derive(serde::Serialize)] #[serde(rename_all = \"snake_case\")]")
        .field_attribute("cartwright.v1.Reason.why", "#[serde(flatten)]")
        .compile_fds(files)?;
    let quick = protox::compile(["cartwright/v1/recommendation.proto"], ["proto"])?;
    serving(quick, out.join("served"))?;
    Ok(())
}

/// The service once more, for the server: its replies come encoded.
fn serving(files: prost_types::FileDescriptorSet, out: PathBuf) -> std::io::Result<()> {
    std::fs::create_dir_all(&out)?;
    let mut service = tonic_prost_build::configure()
        .build_client(false)
        .codec_path("crate::grpc::wire::ReplyCodec")
        .extern_path(".cartwright.v1", "crate::grpc::pb");
    for method in ["RelatedItems", "BasketUpsell", "ForCustomer"] {
        let response = format!(".cartwright.v1.{method}Response");
        service = service.extern_path(response, "crate::grpc::wire::Reply");
    }
    service.out_dir(out).compile_fds(files)
}
