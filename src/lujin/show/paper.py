"""The words of printed statements: what reports on the terminal say, as the paper asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lujin.accounts.embodied_statement import EmbodiedLine
from lujin.accounts.method_range import MethodRange
from lujin.accounts.statement_parts import FactorUse
from lujin.accounts.uncertainty_parts import Uncertainty
from lujin.language import Speech
from lujin.publish.letterhead import FactorName
from lujin.show import uncertainty
from lujin.show.balance import OUTCOMES
from lujin.show.embodied import by_formula, line_name
from lujin.show.factors import factor_text, factor_value, source_name
from lujin.show.words import CONFIDENCE, REASONS, SCOPES, STATES, Words


@dataclass(frozen=True)
class PaperNames:
    """Names for ``lujin.publish``, in the language of ``words``."""

    words: Words

    @property
    def say(self) -> Speech:
        return self.words.say

    def park(self) -> str:
        park = self.words.park
        return self.say.name(park.name_zh, park.name_en) or park.id

    def timezone(self) -> str:
        return self.words.park.timezone

    def book(self, code: str) -> str:
        return self.words.book(code)

    def carrier(self, code: str) -> str:
        return self.words.carrier(code)

    def unit(self, unit: str) -> str:
        return self.words.unit(unit)

    def commodity(self, code: str) -> str:
        return self.words.commodity(code)

    def item(self, code: str) -> str:
        return self.words.item(code)

    def source(self, account: str) -> str:
        return self.words.source(account)

    def account(self, account: str) -> str:
        return self.words.account(account)

    def period(self, code: str) -> str:
        return self.words.period(code)

    def instrument(self, kind: str) -> str:
        return self.words.instrument(kind)

    def scope(self, code: str) -> str:
        return self.words.term(SCOPES, code)

    def reason(self, code: str) -> str:
        return self.words.term(REASONS, code)

    def state(self, code: str) -> str:
        return self.words.term(STATES, code)

    def confidence(self, code: str) -> str:
        return self.words.term(CONFIDENCE, code)

    def outcome(self, code: str) -> str:
        return self.words.term(OUTCOMES, code)

    def embodied(self, line: EmbodiedLine) -> str:
        return line_name(line, self.words)

    def formulas(self, methods: MethodRange) -> str:
        return by_formula(methods, self.words)

    def total(self, code: str) -> str:
        return uncertainty.total_name(self.words, code)

    def datum(self, kind: str, source: str, factors: Sequence[FactorUse]) -> str:
        return uncertainty.source_name(self.words, kind, source, uncertainty.named_factors(factors))

    def doubts(self, found: Uncertainty, factors: Sequence[FactorUse]) -> tuple[str, ...]:
        total, named = uncertainty.whole(found), uncertainty.named_factors(factors)
        parts = (uncertainty.largest, uncertainty.unknown)
        return tuple(text for part in parts for text in part(self.words, total, named))

    def factor(self, table: str, values: Mapping[str, str]) -> FactorName:
        return FactorName(factor_text(self.words, table, values), *factor_value(self.words, values))

    def reference_source(self, source: str) -> str:
        return source_name(self.words, source)
