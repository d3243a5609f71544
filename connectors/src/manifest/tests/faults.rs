//! A case for each kind of fault: its exact place, its component, and what would be right.

use super::{RETRIEVER, around, faults};

fn one(yaml: &str) -> String {
    let mut found = faults(yaml);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

#[test]
fn unreadable_yaml_is_placed() {
    let fault = one("version: 7.0.0\ncheck: [\n");
    assert!(
        fault.contains("YAML at : this is not readable as YAML"),
        "{fault}"
    );
    assert!(fault.starts_with("3:") || fault.starts_with("2:"), "{fault}");
}

#[test]
fn a_manifest_is_a_mapping() {
    assert_eq!(
        one("- a\n- b\n"),
        "1:1 manifest at : a manifest is a mapping, not a list"
    );
}

#[test]
fn a_misspelt_field_names_the_right_one() {
    let yaml = around(&RETRIEVER.replace("path: /things", "paht: /things"));
    assert_eq!(
        one(&yaml),
        "14:9 HttpRequester at streams[0].retriever.requester.paht: unknown field paht; did you mean path?"
    );
}

#[test]
fn an_unknown_field_lists_the_known_ones() {
    let yaml = around(&RETRIEVER.replace("field_path: [data]", "field_path: [data]\n    colour: red"));
    assert_eq!(
        one(&yaml),
        "20:11 DpathExtractor at streams[0].retriever.record_selector.extractor.colour: unknown field colour; \
         DpathExtractor has field_path, record_expander"
    );
}

#[test]
fn an_unknown_component_names_the_nearest() {
    let yaml = around(&RETRIEVER.replace("DpathExtractor", "DPathExtracter"));
    assert_eq!(
        one(&yaml),
        "18:17 DPathExtracter at streams[0].retriever.record_selector.extractor: unknown component DPathExtracter; \
         did you mean DpathExtractor?"
    );
}

#[test]
fn a_component_in_the_wrong_place_is_told_where_it_is() {
    let yaml = around(&RETRIEVER.replace("DpathExtractor", "RecordFilter"));
    assert_eq!(
        one(&yaml),
        "18:17 RecordFilter at streams[0].retriever.record_selector.extractor: RecordFilter does not belong in \
         extractor, which takes DpathExtractor, CombinedExtractor"
    );
}

const UPLOADER: &str = "file_uploader:
      type: FileUploader
      requester: {type: HttpRequester, url: \"{{ download_target }}\"}
      download_target_extractor: {type: DpathExtractor, field_path: [url]}
      filename_extractor: \"{{ record.id }}.pdf\"
    retriever:";

#[test]
fn a_file_uploader_is_checked_to_its_last_part() {
    let with = |uploader: &str| around(RETRIEVER).replace("retriever:", uploader);
    crate::manifest::load(&with(UPLOADER)).expect("it is as it should be");
    for (right, wrong, expected) in [
        (
            "url: \"{{ download_target }}\"",
            "path: x",
            "HttpRequester: HttpRequester needs an address",
        ),
        (
            "DpathExtractor, field_path: [url]",
            "RecordFilter",
            "RecordFilter does not belong in download_target_extractor, which takes DpathExtractor, CombinedExtractor",
        ),
        ("{{ record.id }}.pdf", "{{ record.id", "FileUploader: "),
        (
            "filename_extractor:",
            "file_extractor: {type: RecordFilter}\n      filename_extractor:",
            "RecordFilter does not belong in file_extractor",
        ),
        (
            "filename_extractor:",
            "picture:",
            "unknown field picture; FileUploader has requester",
        ),
    ] {
        assert!(UPLOADER.contains(right), "{right}");
        let faults = crate::manifest::load(&with(&UPLOADER.replace(right, wrong))).expect_err(wrong);
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert!(
            told.iter().any(|fault| fault.contains(expected)),
            "{wrong}: {told:#?}"
        );
    }
}

#[test]
fn a_file_uploader_asks_for_no_pages() {
    let handler = "error_handler: {type: DefaultErrorHandler, response_filters: [{type: HttpResponseFilter, http_codes: [502], action: REDUCE_PAGE_SIZE}]}";
    let uploader = UPLOADER.replace(
        "url: \"{{ download_target }}\"",
        &format!("url: \"{{{{ download_target }}}}\", {handler}"),
    );
    let faults =
        crate::manifest::load(&around(RETRIEVER).replace("retriever:", &uploader)).expect_err("refused");
    assert!(faults[0].to_string().contains("REDUCE_PAGE_SIZE"), "{faults:?}");
}

#[test]
fn python_is_refused_by_name_with_what_to_do_instead() {
    let custom = "authenticator:\n    class_name: source_things.components.Signer\n  path: /things";
    let yaml = around(&RETRIEVER.replace("path: /things", custom));
    assert_eq!(
        one(&yaml),
        "15:11 CustomAuthenticator at streams[0].retriever.requester.authenticator: source_things.components.Signer \
         is Python code, which is not run here; use OAuthAuthenticator, SessionTokenAuthenticator or SelectiveAuthenticator"
    );
}

#[test]
fn a_missing_field_is_named() {
    let yaml = around(&RETRIEVER.replace("    field_path: [data]\n", ""));
    assert_eq!(
        one(&yaml),
        "18:11 DpathExtractor at streams[0].retriever.record_selector.extractor: DpathExtractor needs the field field_path"
    );
}

#[test]
fn a_value_of_the_wrong_type_says_what_was_found() {
    let yaml = around(&RETRIEVER.replace("[data]", "data"));
    assert_eq!(
        one(&yaml),
        "19:23 DpathExtractor at streams[0].retriever.record_selector.extractor.field_path: field_path has to be a list, \
         not the text \"data\""
    );
    let yaml = around(&RETRIEVER.replace("[data]", "[data, 7]"));
    assert_eq!(
        one(&yaml),
        "19:30 DpathExtractor at streams[0].retriever.record_selector.extractor.field_path[1]: field_path has to be a text \
         (write it in quotes), not the number 7"
    );
}

#[test]
fn a_word_that_is_none_of_the_choices_lists_them() {
    let yaml = around(&RETRIEVER.replace("path: /things", "path: /things\n  http_method: POTS"));
    assert_eq!(
        one(&yaml),
        "15:22 HttpRequester at streams[0].retriever.requester.http_method: http_method is \"POTS\"; it has to be one of \
         GET, POST; did you mean POST?"
    );
}

#[test]
fn a_reference_that_leads_nowhere_names_the_nearest() {
    let yaml = format!(
        "{}definitions:\n  base: {{}}\n",
        around("$ref: '#/definitions/bse'\n")
    );
    assert_eq!(
        one(&yaml),
        "10:13 $ref at streams.0.retriever: the reference #/definitions/bse leads nowhere: there is no bse; did you mean base?"
    );
}

#[test]
fn a_reference_that_contains_itself_is_found() {
    let yaml = format!(
        "{}definitions:\n  a:\n    inner: '#/definitions/b'\n  b:\n    inner: '#/definitions/a'\n",
        around("$ref: '#/definitions/a'\n")
    );
    let found = faults(&yaml);
    assert!(
        found.iter().all(|fault| fault.contains("leads back to itself")),
        "{found:#?}"
    );
    assert!(
        found[0].starts_with("13:12 $ref") || found[0].starts_with("15:12 $ref"),
        "{found:#?}"
    );
}

#[test]
fn two_streams_of_one_name_are_refused() {
    let yaml = format!("{}  - $ref: '#/streams/0'\n", around(RETRIEVER));
    assert_eq!(
        one(&yaml),
        "20:5 DeclarativeSource at streams[1]: there are two streams named things; every stream needs a name of its own"
    );
}

#[test]
fn a_check_on_a_stream_that_is_not_there_names_the_nearest() {
    let yaml = around(RETRIEVER).replace("stream_names: [things]", "stream_names: [thing]");
    assert_eq!(
        one(&yaml),
        "5:18 CheckStream at check.stream_names[0]: there is no stream named thing; did you mean things?"
    );
}

#[test]
fn half_of_a_pair_is_refused() {
    let yaml = format!(
        "{}    incremental_sync:\n      type: DatetimeBasedCursor\n      cursor_field: at\n      datetime_format: '%Y'\n      \
         start_datetime: '2020'\n      step: P1D\n",
        around(RETRIEVER)
    );
    assert_eq!(
        one(&yaml),
        "21:7 DatetimeBasedCursor at streams[0].incremental_sync: step needs cursor_granularity beside it: slices are cut \
         by both together"
    );
    let yaml = yaml.replace("step: P1D", "step: 1 day\n      cursor_granularity: P1D");
    assert_eq!(
        one(&yaml),
        "25:13 DatetimeBasedCursor at streams[0].incremental_sync.step: step is \"1 day\"; it has to be an ISO 8601 \
         duration such as P1D or PT1S"
    );
}

#[test]
fn a_template_is_parsed_at_load_and_its_fault_is_placed_inside_the_text() {
    let yaml = around(&RETRIEVER.replace("path: /things", "path: \"/things/{{ config['id' }}\""));
    let fault = one(&yaml);
    assert!(fault.starts_with("14:"), "{fault}");
    assert!(
        fault
            .contains("HttpRequester at streams[0].retriever.requester.path: path is not a valid template: "),
        "{fault}"
    );
    let column: usize = fault[3..]
        .split(' ')
        .next()
        .and_then(|column| column.parse().ok())
        .expect("a column");
    assert!((16..48).contains(&column), "inside the text: {fault}");
}

#[test]
fn every_fault_is_reported_once_in_the_files_order() {
    let yaml = format!(
        "{}  - $ref: '#/streams/0'\n    name: more\n",
        around(
            &RETRIEVER
                .replace("path: /things", "paht: /things")
                .replace("field_path", "feild_path")
        )
    );
    let found = faults(&yaml);
    let places: Vec<&str> = found
        .iter()
        .map(|fault| fault.split(' ').next().unwrap_or_default())
        .collect();
    assert_eq!(places, ["14:9", "18:11", "19:11"], "{found:#?}");
}

#[test]
fn a_misplaced_field_of_the_format_is_a_warning() {
    let yaml = around(&RETRIEVER.replace("path: /things", "path: /things\n  page_size: 3"));
    let plan = super::loaded(&yaml);
    assert_eq!(plan.warnings.len(), 1, "{:#?}", plan.warnings);
    assert_eq!((plan.warnings[0].line, plan.warnings[0].column), (15, 9));
    assert!(
        plan.warnings[0]
            .message
            .starts_with("page_size has no effect here"),
        "{}",
        plan.warnings[0].message
    );
}

#[test]
fn a_specification_that_is_no_schema_is_refused() {
    let yaml = format!(
        "{}spec:\n  type: Spec\n  connection_specification:\n    type: objekt\n",
        around(RETRIEVER)
    );
    let fault = one(&yaml);
    assert!(
        fault.starts_with(
            "23:5 Spec at spec.connection_specification: connection_specification is not a usable JSON Schema"
        ),
        "{fault}"
    );
}
