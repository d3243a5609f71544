//! `FileUploader`.

use super::super::components::FileUploader;
use super::super::slot::Slot;
use super::extraction::{extractor, field_path};
use super::requests::requester;

/// What the reference calls a file that nobody names.
const UNNAMED: &str = "{{ generate_uuid() }}";

pub(super) fn file_uploader(slot: &Slot<'_>) -> Option<FileUploader> {
    let component = slot.component(&["FileUploader"])?;
    component.check_fields();
    let requester = component.required("requester").and_then(|slot| requester(&slot));
    let target = component
        .required("download_target_extractor")
        .and_then(|slot| extractor(&slot));
    let content = component.optional("file_extractor", |slot| {
        field_path(slot)?;
        slot.warn("file_extractor has no effect, as in the reference: the whole body is the file");
        Some(())
    });
    let filename = match component.optional_text("filename_extractor")? {
        Some(name) => Some(name),
        None => component.text_or_default(UNNAMED),
    };
    content?;
    Some(FileUploader {
        requester: requester?,
        download_target_extractor: target?,
        filename: filename?,
    })
}
