//! Expressions by Jinja2's grammar, the loosest binding first.

use super::ParseError;
use super::ast::{Arguments, Call, Comparison, Expr, Operator};
use super::lexer::Token;
use super::parser::{MAX_NESTING, Parsed, Parser};

impl Parser {
    pub(super) fn tuple(&mut self, conditional: bool) -> Parsed<Expr> {
        self.items(conditional, &[])
    }

    /// One expression, or several with commas, which are a tuple.
    pub(super) fn items(&mut self, conditional: bool, ends: &[&str]) -> Parsed<Expr> {
        let mut items = Vec::new();
        let mut is_tuple = false;
        loop {
            let ended = matches!(self.peek(), Token::OutputEnd | Token::BlockEnd) || self.is(")");
            if ended || ends.iter().any(|end| self.is_word(end)) {
                break;
            }
            items.push(if conditional {
                self.expression()?
            } else {
                self.nested(Self::or)?
            });
            if !self.skip(",") {
                break;
            }
            is_tuple = true;
        }
        if is_tuple {
            return Ok(Expr::Tuple(items));
        }
        match items.pop() {
            Some(only) => Ok(only),
            None => self.unexpected("an expression"),
        }
    }

    pub(super) fn expression(&mut self) -> Parsed<Expr> {
        self.nested(|parser| {
            let mut value = parser.or()?;
            while parser.skip_word("if") {
                let test = parser.or()?;
                let otherwise = if parser.skip_word("else") {
                    Some(Box::new(parser.expression()?))
                } else {
                    None
                };
                value = Expr::Conditional {
                    test: Box::new(test),
                    then: Box::new(value),
                    otherwise,
                };
            }
            Ok(value)
        })
    }

    /// A run of operators of one rank nests as deep as it is long.
    fn chain(&mut self, length: &mut usize) -> Parsed<()> {
        *length += 1;
        if *length > 4 * MAX_NESTING {
            self.fail("the expression is too long")
        } else {
            Ok(())
        }
    }

    pub(super) fn or(&mut self) -> Parsed<Expr> {
        let mut left = self.and()?;
        let mut length = 0;
        while self.skip_word("or") {
            self.chain(&mut length)?;
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed<Expr> {
        let mut left = self.not()?;
        let mut length = 0;
        while self.skip_word("and") {
            self.chain(&mut length)?;
            left = Expr::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Parsed<Expr> {
        if self.skip_word("not") {
            return self.nested(|parser| Ok(Expr::Not(Box::new(parser.not()?))));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Parsed<Expr> {
        let left = self.sum()?;
        let mut operands = Vec::new();
        loop {
            let (comparison, length) = match self.peek() {
                Token::Symbol("==") => (Comparison::Equal, 1),
                Token::Symbol("!=") => (Comparison::NotEqual, 1),
                Token::Symbol("<") => (Comparison::Less, 1),
                Token::Symbol("<=") => (Comparison::LessOrEqual, 1),
                Token::Symbol(">") => (Comparison::Greater, 1),
                Token::Symbol(">=") => (Comparison::GreaterOrEqual, 1),
                Token::Name(word) if word == "in" => (Comparison::In, 1),
                Token::Name(word) if word == "not" => match self.look(1) {
                    Token::Name(word) if word == "in" => (Comparison::NotIn, 2),
                    _ => break,
                },
                _ => break,
            };
            self.at += length;
            operands.push((comparison, self.sum()?));
        }
        Ok(if operands.is_empty() {
            left
        } else {
            Expr::Compare(Box::new(left), operands)
        })
    }

    fn binary(
        &mut self,
        operators: &[(&str, Operator)],
        operand: impl Fn(&mut Self) -> Parsed<Expr>,
    ) -> Parsed<Expr> {
        let mut left = operand(self)?;
        let mut length = 0;
        while let Some((_, operator)) = operators.iter().find(|(symbol, _)| self.is(symbol)) {
            self.chain(&mut length)?;
            self.at += 1;
            left = Expr::Binary(*operator, Box::new(left), Box::new(operand(self)?));
        }
        Ok(left)
    }

    fn sum(&mut self) -> Parsed<Expr> {
        self.binary(
            &[("+", Operator::Add), ("-", Operator::Subtract)],
            Self::concatenation,
        )
    }

    fn concatenation(&mut self) -> Parsed<Expr> {
        let first = self.product()?;
        if !self.is("~") {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.skip("~") {
            parts.push(self.product()?);
        }
        Ok(Expr::Concat(parts))
    }

    fn product(&mut self) -> Parsed<Expr> {
        let operators = [
            ("*", Operator::Multiply),
            ("/", Operator::Divide),
            ("//", Operator::FloorDivide),
            ("%", Operator::Remainder),
        ];
        self.binary(&operators, |parser| {
            parser.binary(&[("**", Operator::Power)], |parser| parser.unary(true))
        })
    }

    fn unary(&mut self, filters: bool) -> Parsed<Expr> {
        let value = if self.skip("-") {
            self.nested(|parser| Ok(Expr::Negative(Box::new(parser.unary(false)?))))?
        } else if self.skip("+") {
            self.nested(|parser| Ok(Expr::Positive(Box::new(parser.unary(false)?))))?
        } else {
            self.primary()?
        };
        let value = self.postfix(value)?;
        if filters { self.filters(value) } else { Ok(value) }
    }

    fn primary(&mut self) -> Parsed<Expr> {
        Ok(match self.advance() {
            Token::Name(name) => match name.as_str() {
                "true" | "True" => Expr::Bool(true),
                "false" | "False" => Expr::Bool(false),
                "none" | "None" => Expr::None,
                _ => Expr::Name(name),
            },
            Token::Str(mut text) => {
                while let Token::Str(more) = self.peek() {
                    text.push_str(more);
                    self.at += 1;
                }
                Expr::Str(text)
            }
            Token::Int(number) => Expr::Int(number),
            Token::Float(number) => Expr::Float(number),
            Token::Symbol("(") => {
                if self.skip(")") {
                    return Ok(Expr::Tuple(Vec::new()));
                }
                let inner = self.tuple(true)?;
                self.expect(")")?;
                inner
            }
            Token::Symbol("[") => {
                let mut items = Vec::new();
                while !self.skip("]") {
                    if !items.is_empty() {
                        self.expect(",")?;
                        if self.skip("]") {
                            break;
                        }
                    }
                    items.push(self.expression()?);
                }
                Expr::List(items)
            }
            Token::Symbol("{") => {
                let mut members = Vec::new();
                while !self.skip("}") {
                    if !members.is_empty() {
                        self.expect(",")?;
                        if self.skip("}") {
                            break;
                        }
                    }
                    let key = self.expression()?;
                    self.expect(":")?;
                    members.push((key, self.expression()?));
                }
                Expr::Dict(members)
            }
            _ => {
                self.at -= 1;
                return self.unexpected("an expression");
            }
        })
    }

    fn postfix(&mut self, mut value: Expr) -> Parsed<Expr> {
        let mut length = 0;
        loop {
            self.chain(&mut length)?;
            if self.skip(".") {
                value = match self.advance() {
                    Token::Name(name) => Expr::Attribute(Box::new(value), name),
                    Token::Int(index) => Expr::Item(Box::new(value), Box::new(Expr::Int(index))),
                    _ => {
                        self.at -= 1;
                        return self.unexpected("a name");
                    }
                };
            } else if self.skip("[") {
                value = self.subscript(value)?;
            } else if self.is("(") {
                value = Expr::Call(Box::new(value), self.arguments()?);
            } else {
                return Ok(value);
            }
        }
    }

    fn subscript(&mut self, value: Expr) -> Parsed<Expr> {
        let mut bounds = [None, None, None];
        let mut colons = 0;
        let mut items = Vec::new();
        loop {
            if self.skip("]") {
                break;
            } else if self.skip(":") {
                colons += 1;
                if colons > 2 || items.len() > 1 {
                    return self.unexpected("']'");
                }
            } else if colons == 0 && self.skip(",") {
            } else {
                let part = self.expression()?;
                match bounds.get_mut(colons) {
                    Some(bound) if colons > 0 => *bound = Some(part),
                    _ => items.push(part),
                }
            }
        }
        if colons > 0 {
            bounds[0] = items.pop();
            return Ok(Expr::Slice(Box::new(value), Box::new(bounds)));
        }
        let index = match (items.len(), items.pop()) {
            (1, Some(only)) => only,
            (0, _) => return self.fail("expected an index"),
            (_, last) => {
                items.extend(last);
                Expr::Tuple(items)
            }
        };
        Ok(Expr::Item(Box::new(value), Box::new(index)))
    }

    fn arguments(&mut self) -> Parsed<Arguments> {
        self.expect("(")?;
        let mut arguments = Arguments::default();
        let mut first = true;
        while !self.skip(")") {
            if !first {
                self.expect(",")?;
                if self.skip(")") {
                    break;
                }
            }
            first = false;
            if self.skip("*") {
                arguments.rest = Some(Box::new(self.expression()?));
            } else if self.skip("**") {
                arguments.named_rest = Some(Box::new(self.expression()?));
            } else if let (Token::Name(name), Token::Symbol("=")) = (self.peek().clone(), self.look(1)) {
                self.at += 2;
                arguments.named.push((name, self.expression()?));
            } else if arguments.named.is_empty() {
                arguments.positional.push(self.expression()?);
            } else {
                return self.fail("a positional argument after a named one");
            }
        }
        Ok(arguments)
    }

    pub(super) fn call_by_name(&mut self) -> Parsed<Call> {
        let mut name = self.name()?;
        while self.skip(".") {
            name = format!("{name}.{}", self.name()?);
        }
        let arguments = if self.is("(") {
            self.arguments()?
        } else {
            Arguments::default()
        };
        Ok(Call { name, arguments })
    }

    fn filters(&mut self, mut value: Expr) -> Parsed<Expr> {
        let mut length = 0;
        loop {
            self.chain(&mut length)?;
            if self.skip("|") {
                let offset = self.offset();
                let call = self.call_by_name()?;
                if !super::filters::exists(&call.name) {
                    return Err(ParseError {
                        message: format!("there is no filter '{}'", call.name),
                        offset,
                    });
                }
                value = Expr::Filter(Box::new(value), call);
            } else if self.skip_word("is") {
                value = self.test(value)?;
            } else if self.is("(") {
                value = Expr::Call(Box::new(value), self.arguments()?);
            } else {
                return Ok(value);
            }
        }
    }

    fn test(&mut self, value: Expr) -> Parsed<Expr> {
        let negated = self.skip_word("not");
        let offset = self.offset();
        let mut call = self.call_by_name()?;
        if !super::predicates::exists(&call.name) {
            return Err(ParseError {
                message: format!("there is no test '{}'", call.name),
                offset,
            });
        }
        let operand = match self.peek() {
            Token::Name(word) => !matches!(word.as_str(), "else" | "or" | "and" | "is"),
            Token::Str(_) | Token::Int(_) | Token::Float(_) => true,
            // After arguments in brackets, these begin a subscript or a call.
            Token::Symbol("(" | "[" | "{") => call.arguments == Arguments::default(),
            _ => false,
        };
        // `x is defined if …` and `… in` are what follows the test, not its operand: Jinja2 reads the word as one
        // all the same and fails; so do we not.
        let operand = operand && !self.is_word("if") && !self.is_word("in") && !self.is_word("not");
        if operand && call.arguments == Arguments::default() {
            let argument = self.primary()?;
            call.arguments.positional.push(self.postfix(argument)?);
        }
        let test = Expr::Test(Box::new(value), call);
        Ok(if negated { Expr::Not(Box::new(test)) } else { test })
    }
}
