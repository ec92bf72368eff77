"""Runs a fixed set of processes side by side: started together, restarted when they crash, ended together."""

from rootstock.supervisor.definition import Definition, Ready, answers, says
from rootstock.supervisor.errors import SupervisorError
from rootstock.supervisor.output import Output
from rootstock.supervisor.supervisor import Supervisor

__all__ = ["Definition", "Output", "Ready", "Supervisor", "SupervisorError", "answers", "says"]
