//! From tokens to a tree, by Jinja2's grammar: statements. [`super::expressions`] has what stands in them.

use super::ParseError;
use super::ast::{Call, For, Node, Target};
use super::lexer::{Token, tokens};

/// Brackets, operators and blocks may nest this deep.
pub(super) const MAX_NESTING: usize = 48;

pub(crate) fn parse(source: &str) -> Result<Vec<Node>, ParseError> {
    let tokens = tokens(source)?;
    let mut parser = Parser {
        tokens,
        at: 0,
        depth: 0,
    };
    let nodes = parser.body(&[])?;
    match parser.peek() {
        Token::End => Ok(nodes),
        _ => parser.unexpected("the end of the template"),
    }
}

pub(super) struct Parser {
    tokens: Vec<(Token, usize)>,
    pub(super) at: usize,
    depth: usize,
}

pub(super) type Parsed<T> = Result<T, ParseError>;

impl Parser {
    pub(super) fn look(&self, ahead: usize) -> &Token {
        self.tokens
            .get(self.at + ahead)
            .map_or(&Token::End, |(token, _)| token)
    }

    pub(super) fn peek(&self) -> &Token {
        self.look(0)
    }

    pub(super) fn advance(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    pub(super) fn offset(&self) -> usize {
        self.tokens
            .get(self.at)
            .or(self.tokens.last())
            .map_or(0, |(_, offset)| *offset)
    }

    pub(super) fn fail<T>(&self, message: impl Into<String>) -> Parsed<T> {
        Err(ParseError {
            message: message.into(),
            offset: self.offset(),
        })
    }

    pub(super) fn unexpected<T>(&self, wanted: &str) -> Parsed<T> {
        let found = match self.peek() {
            Token::Text(_) => "text".to_owned(),
            Token::OutputBegin => "{{".to_owned(),
            Token::OutputEnd => "the end of the expression".to_owned(),
            Token::BlockBegin => "{%".to_owned(),
            Token::BlockEnd => "the end of the statement".to_owned(),
            Token::Name(name) => format!("'{name}'"),
            Token::Str(text) => format!("the string {text:?}"),
            Token::Int(number) => format!("the number {number}"),
            Token::Float(number) => format!("the number {number}"),
            Token::Symbol(symbol) => format!("'{symbol}'"),
            Token::End => "the end of the template".to_owned(),
        };
        self.fail(format!("expected {wanted}, found {found}"))
    }

    pub(super) fn is(&self, symbol: &str) -> bool {
        matches!(self.peek(), Token::Symbol(own) if *own == symbol)
    }

    pub(super) fn skip(&mut self, symbol: &str) -> bool {
        let found = self.is(symbol);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, symbol: &str) -> Parsed<()> {
        if self.skip(symbol) {
            Ok(())
        } else {
            self.unexpected(&format!("'{symbol}'"))
        }
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Name(own) if own == word)
    }

    pub(super) fn skip_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    pub(super) fn name(&mut self) -> Parsed<String> {
        match self.peek() {
            Token::Name(name) => {
                let name = name.clone();
                self.at += 1;
                Ok(name)
            }
            _ => self.unexpected("a name"),
        }
    }

    pub(super) fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return self.fail("the template is nested too deeply");
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    // Statements.

    /// Nodes up to a statement that begins with one of `ends`; stands on that word.
    fn body(&mut self, ends: &[&str]) -> Parsed<Vec<Node>> {
        self.nested(|parser| {
            let mut nodes = Vec::new();
            loop {
                match parser.peek() {
                    Token::Text(_) => {
                        if let Token::Text(text) = parser.advance() {
                            nodes.push(Node::Text(text));
                        }
                    }
                    Token::OutputBegin => {
                        parser.at += 1;
                        nodes.push(Node::Output(parser.tuple(true)?));
                        match parser.peek() {
                            Token::OutputEnd => parser.at += 1,
                            _ => return parser.unexpected("}}"),
                        }
                    }
                    Token::BlockBegin => {
                        parser.at += 1;
                        if ends.iter().any(|end| parser.is_word(end)) {
                            return Ok(nodes);
                        }
                        nodes.extend(parser.statement()?);
                        parser.block_end()?;
                    }
                    Token::End if ends.is_empty() => return Ok(nodes),
                    _ => return parser.unexpected(&format!("{{% {} %}}", ends.join(" or "))),
                }
            }
        })
    }

    fn block_end(&mut self) -> Parsed<()> {
        match self.peek() {
            Token::BlockEnd => {
                self.at += 1;
                Ok(())
            }
            _ => self.unexpected("%}"),
        }
    }

    fn statement(&mut self) -> Parsed<Option<Node>> {
        let word = self.name()?;
        Ok(Some(match word.as_str() {
            "if" => self.condition()?,
            "for" => self.for_loop()?,
            "set" => self.set()?,
            "with" => {
                let mut bindings = Vec::new();
                while !matches!(self.peek(), Token::BlockEnd) {
                    if !bindings.is_empty() {
                        self.expect(",")?;
                    }
                    let target = self.target(false)?;
                    self.expect("=")?;
                    bindings.push((target, self.expression()?));
                }
                self.block_end()?;
                let body = self.body(&["endwith"])?;
                self.at += 1;
                Node::With { bindings, body }
            }
            "filter" => {
                let filters = self.filter_chain()?;
                self.block_end()?;
                let body = self.body(&["endfilter"])?;
                self.at += 1;
                Node::Filter { filters, body }
            }
            "print" => Node::Output(self.tuple(true)?),
            other => {
                self.at -= 1;
                return self.fail(format!("the statement '{other}' is not supported"));
            }
        }))
    }

    fn condition(&mut self) -> Parsed<Node> {
        let mut branches = Vec::new();
        let mut test = self.tuple(false)?;
        loop {
            self.block_end()?;
            let body = self.body(&["elif", "else", "endif"])?;
            branches.push((test, body));
            match self.advance() {
                Token::Name(word) if word == "elif" => test = self.tuple(false)?,
                Token::Name(word) if word == "else" => {
                    self.block_end()?;
                    let otherwise = self.body(&["endif"])?;
                    self.at += 1;
                    return Ok(Node::If { branches, otherwise });
                }
                _ => {
                    return Ok(Node::If {
                        branches,
                        otherwise: Vec::new(),
                    });
                }
            }
        }
    }

    fn for_loop(&mut self) -> Parsed<Node> {
        let target = self.target(true)?;
        if !self.skip_word("in") {
            return self.unexpected("'in'");
        }
        let source = self.items(false, &["recursive", "if"])?;
        let filter = if self.skip_word("if") {
            Some(self.expression()?)
        } else {
            None
        };
        if self.is_word("recursive") {
            return self.fail("recursive loops are not supported");
        }
        self.block_end()?;
        let body = self.body(&["endfor", "else"])?;
        let mut otherwise = Vec::new();
        if self.skip_word("else") {
            self.block_end()?;
            otherwise = self.body(&["endfor"])?;
        }
        self.at += 1;
        Ok(Node::For(Box::new(For {
            target,
            source,
            filter,
            body,
            otherwise,
        })))
    }

    fn set(&mut self) -> Parsed<Node> {
        let target = self.target(true)?;
        if self.skip("=") {
            return Ok(Node::Set {
                target,
                value: self.tuple(true)?,
            });
        }
        let filters = if self.skip("|") {
            self.filter_chain()?
        } else {
            Vec::new()
        };
        self.block_end()?;
        let body = self.body(&["endset"])?;
        self.at += 1;
        Ok(Node::SetBlock {
            target,
            filters,
            body,
        })
    }

    fn filter_chain(&mut self) -> Parsed<Vec<Call>> {
        let mut filters = vec![self.call_by_name()?];
        while self.skip("|") {
            filters.push(self.call_by_name()?);
        }
        Ok(filters)
    }

    fn target(&mut self, tuple: bool) -> Parsed<Target> {
        let one = |parser: &mut Self| -> Parsed<Target> {
            if parser.skip("(") {
                let inner = parser.nested(|parser| parser.target(true))?;
                parser.expect(")")?;
                return Ok(inner);
            }
            let name = parser.name()?;
            if matches!(
                name.as_str(),
                "true" | "false" | "none" | "True" | "False" | "None"
            ) {
                return parser.fail(format!("cannot assign to '{name}'"));
            }
            if parser.skip(".") {
                return Ok(Target::Attribute(name, parser.name()?));
            }
            Ok(Target::Name(name))
        };
        let first = one(self)?;
        if !tuple || !self.is(",") {
            return Ok(first);
        }
        let mut targets = vec![first];
        while self.skip(",") {
            if matches!(self.peek(), Token::Name(name) if name != "in") || self.is("(") {
                targets.push(one(self)?);
            }
        }
        Ok(Target::Tuple(targets))
    }
}
