//! `ObjectStorageStream` and its parts.

use super::super::component::Component;
use super::super::components::{ObjectCompression, ObjectFormat, ObjectStorageSource, S3Storage, Storage};
use super::super::slot::Slot;

pub(super) fn object_storage(component: &Component<'_>) -> Option<ObjectStorageSource> {
    let storage = component.required("storage").and_then(|slot| storage(&slot));
    let prefix = component.optional_text("prefix");
    let glob = component.optional_text("glob");
    let format = component.required("format").and_then(|slot| format(&slot));
    let compression = component.or("compression", ObjectCompression::Auto, |slot| {
        slot.word(&[
            ("auto", ObjectCompression::Auto),
            ("gzip", ObjectCompression::Gzip),
            ("none", ObjectCompression::None),
        ])
    });
    let file_field = component.optional("file_field", Slot::literal);
    let line_field = component.optional("line_field", Slot::literal);
    Some(ObjectStorageSource {
        storage: storage?,
        prefix: prefix?,
        glob: glob?,
        format: format?,
        compression: compression?,
        file_field: file_field?,
        line_field: line_field?,
    })
}

fn storage(slot: &Slot<'_>) -> Option<Storage> {
    let component = slot.component(&["LocalStorage", "S3Storage"])?;
    component.check_fields();
    if &*component.kind == "LocalStorage" {
        let folder = component.required("folder").and_then(|slot| slot.text());
        return Some(Storage::Local { folder: folder? });
    }
    let bucket = component.required("bucket").and_then(|slot| slot.text());
    let region = component.text_or("region", "us-east-1");
    let endpoint = component.optional_text("endpoint");
    let access_key_id = component.optional_text("access_key_id");
    let secret_access_key = component.optional_text("secret_access_key");
    let session_token = component.optional_text("session_token");
    Some(Storage::S3(S3Storage {
        bucket: bucket?,
        region: region?,
        endpoint: endpoint?,
        access_key_id: access_key_id?,
        secret_access_key: secret_access_key?,
        session_token: session_token?,
    }))
}

fn format(slot: &Slot<'_>) -> Option<ObjectFormat> {
    let component = slot.component(&["JsonlFormat", "CsvFormat"])?;
    component.check_fields();
    if &*component.kind == "JsonlFormat" {
        return Some(ObjectFormat::Jsonl);
    }
    let delimiter = component.or("delimiter", b',', |slot| {
        let text = slot.literal()?;
        match text.as_bytes() {
            [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Some(*byte),
            _ => {
                slot.fault(format!(
                    "delimiter is {text:?}; it has to be one character of ASCII, such as ;"
                ));
                None
            }
        }
    });
    Some(ObjectFormat::Csv {
        delimiter: delimiter?,
    })
}
