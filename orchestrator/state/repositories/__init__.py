"""All that the state database keeps, one repository a kind of record."""

from __future__ import annotations

from orchestrator.clock import Clock, SystemClock
from orchestrator.state.audit import AuditChain
from orchestrator.state.database import Database
from orchestrator.state.grouped_commits import GroupedCommits
from orchestrator.state.repositories.advice import AdviceLabels
from orchestrator.state.repositories.alerts import Alerts
from orchestrator.state.repositories.decisions import Decisions
from orchestrator.state.repositories.documents import Documents
from orchestrator.state.repositories.feedback import Feedback
from orchestrator.state.repositories.grants import Grants
from orchestrator.state.repositories.idempotency import Idempotency
from orchestrator.state.repositories.jobs import Jobs
from orchestrator.state.repositories.model_use import ModelUse
from orchestrator.state.repositories.outcomes import Outcomes
from orchestrator.state.repositories.reasoning import Reasoning
from orchestrator.state.repositories.recommendation_steps import RecommendationSteps
from orchestrator.state.repositories.recommendations import Recommendations
from orchestrator.state.repositories.sessions import Sessions
from orchestrator.state.repositories.site_settings import SiteSettings
from orchestrator.state.repositories.writes import Writes

__all__ = ["Store"]


class Store:
    """The repositories over one database, which must be migrated. The database stays the caller's.

    Every method returns after its change is durable, and raises `DatabaseUnavailableError` when
    the database cannot be reached. ``clock`` dates what no record dates: audit entries, settings,
    idempotency keys.
    """

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        clock = clock or SystemClock()
        self.database = database
        self.commits = GroupedCommits(database)
        self.decisions = Decisions(database, self.commits)
        self.jobs = Jobs(database, self.commits)
        self.outcomes = Outcomes(database)
        self.feedback = Feedback(database, self.commits)
        self.advice = AdviceLabels(database)
        self.reasoning = Reasoning(database)
        self.alerts = Alerts(database)
        self.recommendations = Recommendations(database, self.commits)
        self.recommendation_steps = RecommendationSteps(database)
        self.grants = Grants(database)
        self.idempotency = Idempotency(database, clock)
        self.settings = SiteSettings(database, clock)
        self.sessions = Sessions(database)
        self.model_use = ModelUse(database)
        self.audit = AuditChain(database, clock)
        self.writes = Writes(database, self.audit)
        self.documents = Documents(database)

    async def close(self) -> None:
        """Commit what waits. Call it before the database is closed."""
        await self.commits.close()
