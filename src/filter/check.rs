//! The types: from the tree of a text to conditions, or to the first place that makes no sense.

use super::condition::{Condition, List, Test};
use super::lex::{Name, What};
use super::operand::{self, Day, Field, Figure, Flag, Kind, Leaf, Number, Path, Text};
use super::order::{Order, Step};
use super::parse::{Node, Part};
use super::wrong::{Fault, unknown_field};
use super::{MAX_CONDITIONS, Schema, Type};

/// What `node` means where `schema` says which fields there are.
pub(super) fn check(node: &Node, schema: &(impl Schema + ?Sized)) -> Result<Condition, Fault> {
    Checker { schema, conditions: 0 }.condition(node)
}

struct Checker<'s, S: ?Sized> {
    schema: &'s S,
    /// How many there were so far: comparisons, lists, flags, `under` and `known`.
    conditions: usize,
}

/// What may stand in a list.
const IN_A_LIST: &str = "a value written down or a field of current";

type Checked<T> = Result<T, Fault>;

impl<S: Schema + ?Sized> Checker<'_, S> {
    fn condition(&mut self, node: &Node) -> Checked<Condition> {
        match &node.part {
            Part::Any(nodes) => Ok(Condition::any(self.parts(nodes)?)),
            Part::All(nodes) => Ok(Condition::all(self.parts(nodes)?)),
            Part::Not(inner) => Ok(Condition::Not(Box::new(self.condition(inner)?))),
            _ => {
                self.count(node)?;
                self.single(node)
            }
        }
    }

    fn parts(&mut self, nodes: &[Node]) -> Checked<Vec<Condition>> {
        nodes.iter().map(|node| self.condition(node)).collect()
    }

    fn count(&mut self, node: &Node) -> Checked<()> {
        self.conditions += 1;
        if self.conditions <= MAX_CONDITIONS {
            return Ok(());
        }
        let expected = format!("at most {MAX_CONDITIONS} comparisons");
        Err(Fault::new(node.at, expected, "one more"))
    }

    fn single(&self, node: &Node) -> Checked<Condition> {
        match &node.part {
            Part::Compare { left, order, sign_at, right } => {
                self.compare(left, *order, *sign_at, right)
            }
            Part::Among { value, differs, list } => self.among(value, *differs, list),
            Part::Under { path, above } => {
                Ok(Condition::Under(self.path(path)?, self.path(above)?))
            }
            Part::Known(name) => Ok(Condition::Known(self.field(node.at, name)?)),
            _ if self.type_of(node)? == Type::Flag => Ok(Condition::Flag(self.flag(node)?)),
            _ => {
                let expected = "a condition such as price < 10";
                Err(Fault::new(node.at, expected, self.seen(node)))
            }
        }
    }

    fn compare(
        &self,
        left: &Node,
        order: Order,
        sign_at: usize,
        right: &Node,
    ) -> Checked<Condition> {
        let (left_type, right_type) = (self.type_of(left)?, self.type_of(right)?);
        // A value written down takes after the field beside it, and is to blame if it can't.
        let kind = if left.is_written_down() { right_type } else { left_type };
        let ordered = matches!(kind, Type::Number | Type::Day);
        let condition = match kind {
            Type::Number => {
                Condition::Numbers(Test::Compare(self.number(left)?, order, self.number(right)?))
            }
            Type::Text => {
                Condition::Texts(Test::Compare(self.text(left)?, order, self.text(right)?))
            }
            Type::Path => {
                Condition::Paths(Test::Compare(self.path(left)?, order, self.path(right)?))
            }
            Type::Flag => {
                Condition::Flags(Test::Compare(self.flag(left)?, order, self.flag(right)?))
            }
            Type::Day => Condition::Days(Test::Compare(self.day(left)?, order, self.day(right)?)),
        };
        if ordered || order.asks_only_whether_the_same() {
            return Ok(condition);
        }
        let fault = Fault::new(sign_at, "`=` or `!=`", format!("`{}`", order.sign()));
        Err(fault.advise("only numbers and days have an order"))
    }

    fn among(&self, value: &Node, differs: bool, nodes: &[Node]) -> Checked<Condition> {
        Ok(match self.type_of(value)? {
            Type::Number => {
                let list = List::new(self.leaves(nodes, Self::figure)?);
                Condition::Numbers(Test::Among { value: self.number(value)?, differs, list })
            }
            Type::Text => {
                let list = List::new(self.leaves(nodes, Self::text)?);
                Condition::Texts(Test::Among { value: self.text(value)?, differs, list })
            }
            Type::Path => {
                let list = List::new(self.leaves(nodes, Self::path)?);
                Condition::Paths(Test::Among { value: self.path(value)?, differs, list })
            }
            Type::Flag => {
                let list = List::new(self.leaves(nodes, Self::flag)?);
                Condition::Flags(Test::Among { value: self.flag(value)?, differs, list })
            }
            Type::Day => {
                let list = List::new(self.leaves(nodes, Self::day)?);
                Condition::Days(Test::Among { value: self.day(value)?, differs, list })
            }
        })
    }

    /// The values of a list: written down, or of the current item.
    fn leaves<K: Kind>(
        &self,
        nodes: &[Node],
        read: impl Fn(&Self, &Node) -> Checked<Leaf<K>>,
    ) -> Checked<Vec<Leaf<K>>> {
        let leaf = |node: &Node| match read(self, node)? {
            Leaf::Field(field) if !field.of_current => {
                Err(Fault::new(node.at, IN_A_LIST, self.seen(node)))
            }
            leaf => Ok(leaf),
        };
        nodes.iter().map(leaf).collect()
    }

    /// What type a value is of; a text may still become a path or a day.
    fn type_of(&self, node: &Node) -> Checked<Type> {
        match &node.part {
            Part::Field(name) => Ok(self.field(node.at, name)?.kind),
            Part::Number(_) | Part::Negated(_) | Part::Chain { .. } => Ok(Type::Number),
            Part::Text(_) => Ok(Type::Text),
            Part::Flag(_) => Ok(Type::Flag),
            _ => Err(Fault::new(node.at, "a field or a value", "a condition")),
        }
    }

    fn number(&self, node: &Node) -> Checked<Number> {
        match &node.part {
            Part::Negated(inner) => Ok(Number::Negated(Box::new(self.number(inner)?))),
            Part::Chain { first, rest } => {
                let next = |(step, node): &(Step, Node)| Ok((*step, self.number(node)?));
                let first = Box::new(self.number(first)?);
                Ok(Number::Chain(first, rest.iter().map(next).collect::<Checked<_>>()?))
            }
            _ => self.figure(node).map(Number::Leaf),
        }
    }

    fn figure(&self, node: &Node) -> Checked<Leaf<Figure>> {
        match &node.part {
            Part::Number(number) => Ok(Leaf::Constant(*number)),
            _ => self.leaf(node, Type::Number),
        }
    }

    fn text(&self, node: &Node) -> Checked<Leaf<Text>> {
        match &node.part {
            Part::Text(text) => Ok(Leaf::Constant(text.as_str().into())),
            _ => self.leaf(node, Type::Text),
        }
    }

    fn flag(&self, node: &Node) -> Checked<Leaf<Flag>> {
        match &node.part {
            Part::Flag(flag) => Ok(Leaf::Constant(*flag)),
            _ => self.leaf(node, Type::Flag),
        }
    }

    fn path(&self, node: &Node) -> Checked<Leaf<Path>> {
        match &node.part {
            Part::Text(text) => {
                let path = operand::path(text).ok_or_else(|| self.unfit(node, Type::Path));
                path.map(Leaf::Constant)
            }
            _ => self.leaf(node, Type::Path),
        }
    }

    fn day(&self, node: &Node) -> Checked<Leaf<Day>> {
        match &node.part {
            Part::Text(text) => {
                let day = operand::day(text).ok_or_else(|| self.unfit(node, Type::Day));
                day.map(Leaf::Constant)
            }
            _ => self.leaf(node, Type::Day),
        }
    }

    /// A field of the type that is wanted.
    fn leaf<K: Kind>(&self, node: &Node, wanted: Type) -> Checked<Leaf<K>> {
        match &node.part {
            Part::Field(name) => {
                let field = self.field(node.at, name)?;
                if field.kind == wanted {
                    Ok(Leaf::Field(field))
                } else {
                    Err(self.unfit(node, wanted))
                }
            }
            _ => Err(self.unfit(node, wanted)),
        }
    }

    fn field(&self, at: usize, Name { name, of_current }: &Name) -> Checked<Field> {
        let known = self.schema.field(name);
        let (id, kind) = known.ok_or_else(|| unknown_field(at, name, self.schema))?;
        Ok(Field { id, kind, name: name.as_str().into(), of_current: *of_current })
    }

    /// What stands here is of another type.
    fn unfit(&self, node: &Node, wanted: Type) -> Fault {
        let expected = match wanted {
            Type::Number if matches!(node.part, Part::Negated(_) | Part::Chain { .. }) => IN_A_LIST,
            Type::Number => "a number",
            Type::Text => "a text in quotes or a text field",
            Type::Flag => "true, false or a flag",
            Type::Path => "a category path such as \"Food > Bread\"",
            Type::Day => "a day in quotes such as \"2026-11-22\"",
        };
        let fault = Fault::new(node.at, expected, self.seen(node));
        match (&node.part, wanted) {
            (Part::Text(text), Type::Number) if text.trim().parse::<f64>().is_ok() => {
                fault.advise("numbers stand without quotes")
            }
            (Part::Number(_), Type::Text) => fault.advise("texts stand in quotes"),
            _ => fault,
        }
    }

    /// What stands here, in words.
    fn seen(&self, node: &Node) -> String {
        match &node.part {
            Part::Number(number) => What::Number(*number).to_string(),
            Part::Text(text) => What::Text(text.clone()).to_string(),
            Part::Flag(flag) => flag.to_string(),
            Part::Negated(_) | Part::Chain { .. } => "a calculated number".to_string(),
            Part::Field(name) => match self.field(node.at, name) {
                Ok(field) => format!("the {} field {field}", field.kind),
                Err(fault) => fault.found,
            },
            _ => "a condition".to_string(),
        }
    }
}

impl Node {
    /// True for a value that the text itself gives.
    fn is_written_down(&self) -> bool {
        matches!(self.part, Part::Number(_) | Part::Text(_) | Part::Flag(_))
    }
}
