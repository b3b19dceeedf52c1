//! The grammar: from words to a tree that doesn't know yet whether it makes sense.

use winnow::Parser;
use winnow::combinator::{alt, cut_err, opt, repeat, separated};
use winnow::error::{AddContext, ErrMode, ModalResult, ParserError};
use winnow::stream::{Stateful, Stream, TokenSlice};
use winnow::token::any;

use super::lex::{Name, Token, What, incomplete};
use super::order::{Order, Step};
use super::wrong::Fault;
use super::{MAX_DEPTH, MAX_LIST};

/// One part of the text, and where it begins.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) at: usize,
    pub(super) part: Part,
}

/// Lists where the text has a chain, so that only brackets, `not` and signs make the tree deeper.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Any(Vec<Node>),
    All(Vec<Node>),
    Not(Box<Node>),
    Compare { left: Box<Node>, order: Order, sign_at: usize, right: Box<Node> },
    Among { value: Box<Node>, differs: bool, list: Vec<Node> },
    Under { path: Box<Node>, above: Box<Node> },
    Known(Name),
    Chain { first: Box<Node>, rest: Vec<(Step, Node)> },
    Negated(Box<Node>),
    Field(Name),
    Number(f64),
    Text(String),
    Flag(bool),
}

/// The tree of a whole text.
pub(super) fn parse(tokens: &[Token]) -> Result<Node, Fault> {
    let mut input = Stateful { input: TokenSlice::new(tokens), state: 0 };
    let end = any.verify(|token: &&Token| token.what == What::End);
    let whole = (any_of, expect("an operator, `and`, `or` or the end", end));
    let (node, _) = { whole }
        .parse_next(&mut input)
        .map_err(|error| error.into_inner().unwrap_or_else(incomplete))?;
    Ok(node)
}

/// The state is the depth.
type Tokens<'t> = Stateful<TokenSlice<'t, Token>, usize>;
type Parsed<T> = ModalResult<T, Fault>;

impl ParserError<Tokens<'_>> for Fault {
    type Inner = Self;

    fn from_input(input: &Tokens<'_>) -> Self {
        match input.peek_token() {
            Some(token) => Self::new(token.at, "", token.what.to_string()),
            None => incomplete(()),
        }
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

impl<'t> AddContext<Tokens<'t>, &'static str> for Fault {
    fn add_context(
        mut self,
        _: &Tokens<'t>,
        _: &<Tokens<'t> as Stream>::Checkpoint,
        expected: &'static str,
    ) -> Self {
        if self.expected.is_empty() {
            self.expected = expected.to_string();
        }
        self
    }
}

/// Whoever comes here has no other way left.
fn expect<'t, T>(
    what: &'static str,
    parser: impl Parser<Tokens<'t>, T, ErrMode<Fault>>,
) -> impl Parser<Tokens<'t>, T, ErrMode<Fault>> {
    cut_err(parser.context(what))
}

/// The place of a sign.
fn sign<'t>(wanted: &'static str) -> impl Parser<Tokens<'t>, usize, ErrMode<Fault>> {
    any.verify(move |token: &&Token| token.what == What::Sign(wanted)).map(|token: &Token| token.at)
}

fn any_of(input: &mut Tokens<'_>) -> Parsed<Node> {
    let nodes = separated(1.., all_of, sign("or")).parse_next(input)?;
    Ok(joined(nodes, Part::Any))
}

fn all_of(input: &mut Tokens<'_>) -> Parsed<Node> {
    let nodes = separated(1.., turned, sign("and")).parse_next(input)?;
    Ok(joined(nodes, Part::All))
}

/// One node is itself; several are a part.
fn joined(mut nodes: Vec<Node>, part: fn(Vec<Node>) -> Part) -> Node {
    let at = nodes[0].at;
    match nodes.len() {
        1 => nodes.remove(0),
        _ => Node { at, part: part(nodes) },
    }
}

fn turned(input: &mut Tokens<'_>) -> Parsed<Node> {
    match opt(sign("not")).parse_next(input)? {
        Some(at) => {
            let inner = deeper(at, turned).parse_next(input)?;
            Ok(Node { at, part: Part::Not(Box::new(inner)) })
        }
        None => compared(input),
    }
}

/// One level down: beyond [`MAX_DEPTH`] the text is refused, long before the stack is used up.
fn deeper<'t>(
    at: usize,
    mut parser: impl Parser<Tokens<'t>, Node, ErrMode<Fault>>,
) -> impl Parser<Tokens<'t>, Node, ErrMode<Fault>> {
    move |input: &mut Tokens<'t>| {
        if input.state == MAX_DEPTH {
            let expected = format!("at most {MAX_DEPTH} brackets, `not` and `-` in one another");
            return Err(ErrMode::Cut(Fault::new(at, expected, "one more")));
        }
        input.state += 1;
        let node = parser.parse_next(input)?;
        input.state -= 1;
        Ok(node)
    }
}

fn compared(input: &mut Tokens<'_>) -> Parsed<Node> {
    let left = summed(input)?;
    let at = left.at;
    let left = Box::new(left);
    let part = if let Some((order, sign_at)) = opt(order).parse_next(input)? {
        let right = Box::new(summed(input)?);
        refuse_a_chain(input)?;
        Part::Compare { left, order, sign_at, right }
    } else if opt(sign("in")).parse_next(input)?.is_some() {
        Part::Among { value: left, differs: false, list: list(input)? }
    } else if opt(sign("not")).parse_next(input)?.is_some() {
        expect("`in` behind `not`", sign("in")).parse_next(input)?;
        Part::Among { value: left, differs: true, list: list(input)? }
    } else if opt(sign("under")).parse_next(input)?.is_some() {
        Part::Under { path: left, above: Box::new(summed(input)?) }
    } else {
        return Ok(*left);
    };
    Ok(Node { at, part })
}

/// How two values are compared, and where it says so.
fn order(input: &mut Tokens<'_>) -> Parsed<(Order, usize)> {
    any.verify_map(|token: &Token| match token.what {
        What::Sign(sign) => Some((Order::of(sign)?, token.at)),
        _ => None,
    })
    .parse_next(input)
}

fn refuse_a_chain(input: &mut Tokens<'_>) -> Parsed<()> {
    let fault = Fault::from_input(input);
    match opt(order).parse_next(input)? {
        Some(_) => {
            let expected = "`and`, `or` or the end".into();
            let advice = "comparisons don't chain: write 1 < price and price < 5";
            Err(ErrMode::Cut(Fault { expected, ..fault }.advise(advice)))
        }
        None => Ok(()),
    }
}

fn list(input: &mut Tokens<'_>) -> Parsed<Vec<Node>> {
    expect("`(` and a list of values", sign("(")).parse_next(input)?;
    let mut nodes: Vec<Node> = Vec::new();
    loop {
        let node = summed(input)?;
        if nodes.len() == MAX_LIST {
            let expected = format!("at most {MAX_LIST} values in a list");
            return Err(ErrMode::Cut(Fault::new(node.at, expected, "one more")));
        }
        nodes.push(node);
        let next = expect("`,` or `)`", alt((sign(",").value(true), sign(")").value(false))));
        if !{ next }.parse_next(input)? {
            return Ok(nodes);
        }
    }
}

fn summed(input: &mut Tokens<'_>) -> Parsed<Node> {
    let step = alt((sign("+").value(Step::Plus), sign("-").value(Step::Minus)));
    chained(multiplied, step).parse_next(input)
}

fn multiplied(input: &mut Tokens<'_>) -> Parsed<Node> {
    let step = alt((sign("*").value(Step::Times), sign("/").value(Step::Over)));
    chained(signed, step).parse_next(input)
}

/// Operands of one rank, from left to right.
fn chained<'t>(
    mut operand: impl FnMut(&mut Tokens<'t>) -> Parsed<Node>,
    mut step: impl Parser<Tokens<'t>, Step, ErrMode<Fault>>,
) -> impl Parser<Tokens<'t>, Node, ErrMode<Fault>> {
    move |input: &mut Tokens<'t>| {
        let first = operand(input)?;
        let rest: Vec<(Step, Node)> =
            repeat(0.., (step.by_ref(), operand.by_ref())).parse_next(input)?;
        if rest.is_empty() {
            return Ok(first);
        }
        Ok(Node { at: first.at, part: Part::Chain { first: Box::new(first), rest } })
    }
}

fn signed(input: &mut Tokens<'_>) -> Parsed<Node> {
    let Some(at) = opt(sign("-")).parse_next(input)? else {
        return single(input);
    };
    let inner = deeper(at, signed).parse_next(input)?;
    let part = match inner.part {
        Part::Number(number) => Part::Number(-number),
        _ => Part::Negated(Box::new(inner)),
    };
    Ok(Node { at, part })
}

fn single(input: &mut Tokens<'_>) -> Parsed<Node> {
    expect("a field or a value", alt((leaf, known, bracketed))).parse_next(input)
}

fn leaf(input: &mut Tokens<'_>) -> Parsed<Node> {
    any.verify_map(|token: &Token| {
        let part = match &token.what {
            What::Number(number) => Part::Number(*number),
            What::Text(text) => Part::Text(text.clone()),
            What::Flag(flag) => Part::Flag(*flag),
            What::Field(name) => Part::Field(name.clone()),
            What::Sign(_) | What::End => return None,
        };
        Some(Node { at: token.at, part })
    })
    .parse_next(input)
}

fn known(input: &mut Tokens<'_>) -> Parsed<Node> {
    sign("known").parse_next(input)?;
    let name = any.verify_map(|token: &Token| match &token.what {
        What::Field(name) => Some(Node { at: token.at, part: Part::Known(name.clone()) }),
        _ => None,
    });
    expect("a field behind `known`", name).parse_next(input)
}

fn bracketed(input: &mut Tokens<'_>) -> Parsed<Node> {
    let at = sign("(").parse_next(input)?;
    let inner = deeper(at, any_of).parse_next(input)?;
    expect("an operator or `)`", sign(")")).parse_next(input)?;
    Ok(Node { at, part: inner.part })
}
