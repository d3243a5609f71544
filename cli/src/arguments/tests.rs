use super::*;

fn parse(arguments: &[&str]) -> Result<CommandLine, clap::Error> {
    let matches = CommandLine::shaped()
        .try_get_matches_from(std::iter::once("syncline").chain(arguments.iter().copied()))?;
    CommandLine::from_arg_matches(&matches)
}

fn help(path: &[&str]) -> String {
    let mut command = CommandLine::shaped().term_width(100);
    command.build();
    let mut command = &mut command;
    for name in path {
        command = command.find_subcommand_mut(name).expect("a command");
    }
    command.render_long_help().to_string()
}

#[test]
fn clap_finds_the_commands_sound() {
    CommandLine::shaped().debug_assert();
}

#[test]
fn help_is_what_a_person_reads() {
    insta::assert_snapshot!("help", help(&[]));
    insta::assert_snapshot!("help_serve", help(&["serve"]));
    insta::assert_snapshot!("help_demo", help(&["demo"]));
    insta::assert_snapshot!("help_migrate", help(&["migrate"]));
    insta::assert_snapshot!("help_doctor", help(&["doctor"]));
    insta::assert_snapshot!("help_connector_new", help(&["connector", "new"]));
    insta::assert_snapshot!("help_connector_check", help(&["connector", "check"]));
    insta::assert_snapshot!("help_connector_read", help(&["connector", "read"]));
}

#[test]
fn without_a_command_serve_runs_and_takes_its_flags() {
    let line = parse(&["--listen", "127.0.0.1:9000", "--no-migrate"]).expect("parses");
    assert!(line.command.is_none());
    assert!(line.serve.no_migrate);
    assert!(line.serve.settings.0.was_typed("server.listen"));
}

#[test]
fn only_what_was_typed_overrides() {
    let line = parse(&["serve", "--workers", "3"]).expect("parses");
    let Some(Command::Serve(serve)) = line.command else {
        panic!("serve")
    };
    assert_eq!(serve.settings.0.keys, ["worker.workers"]);
}

#[test]
fn a_read_can_name_streams_and_a_limit() {
    let line = parse(&[
        "connector",
        "read",
        "--manifest",
        "m",
        "--config",
        "c",
        "--stream",
        "a",
        "--stream",
        "b",
        "--limit",
        "5",
    ])
    .expect("parses");
    let Some(Command::Connector(ConnectorCommand::Read(read))) = line.command else {
        panic!("read")
    };
    assert_eq!(
        (read.streams, read.limit),
        (vec!["a".to_owned(), "b".to_owned()], Some(5))
    );
}
