"""A strict fake of the part of TouchDesigner's Python that its documentation promises.

What a documented build would refuse raises here: names, attributes, menus, types, wrong callbacks.
As there, a parameter's change is told to the Parameter Execute DAT later, once a frame; harsher
than there, every parameter that is new is told as changed.
"""

import enum
import functools
import itertools
import re
import types

ParMode = enum.Enum("ParMode", "CONSTANT EXPRESSION EXPORT BIND")
IDS = itertools.count(1)
NAME = re.compile(r"[A-Z][a-z0-9]*")
NETWORK = ("active", "port", "protocol", "localaddress", "splitbundle", "addscope")
BUILT_IN = {
    "baseCOMP": (),
    "textDAT": ("file",),
    "oscoutDAT": (*NETWORK, "address"),
    "oscinDAT": (*NETWORK, "address", "callbacks", "clamp", "maxlines"),
    "parameterexecuteDAT": ["active", "op", "pars", "valuechange", "onpulse", "custom", "builtin"],
    "executeDAT": ["active", "start", "create", "exit", "framestart", "frameend"],
    "inTOP": ("label",),
    "outTOP": ("label",),
    "switchTOP": ("index", "blend"),
    "syphonspoutinTOP": ("sendername", "usespoutactivesender"),
    "syphonspoutoutTOP": ("active", "sendername"),
    "ndiinTOP": ("active", "name"),
    "ndioutTOP": ("active", "name"),
}
INPUTS = {"outTOP": 1, "switchTOP": 9, "syphonspoutoutTOP": 1, "ndioutTOP": 1}
TYPES = {"Float": (int, float), "Int": int, "Toggle": (bool, int), "Str": str, "Menu": str}
CUSTOM = ["label", "help", "default", "readOnly"]
NUMBER = ["normMin", "normMax", "min", "max", "clampMin", "clampMax"]


@functools.lru_cache
def compiled(script):
    return compile(script, "TouchDesigner", "exec")


class Par:
    def __init__(self, owner, name, style, label=""):
        start = {"Float": 0.0, "Int": 0, "Toggle": False, "Str": "", "Menu": ""}.get(style)
        vars(self).update(owner=owner, name=name, style=style, label=label, page=None, help="")
        vars(self).update(default=start, readOnly=False, menuNames=[], menuLabels=[])
        vars(self).update(normMin=0, normMax=1, min=0, max=1, clampMin=False, clampMax=False)
        vars(self).update(mode=ParMode.CONSTANT, value=start, code="", bound="", given=start)

    def __setattr__(self, name, given):
        allowed = [*CUSTOM, *(NUMBER if self.style in ("Float", "Int") else ())]
        allowed += ["menuNames", "menuLabels"] if self.style == "Menu" else []
        if name in ("val", "expr", "bindExpr", "mode"):
            object.__setattr__(self, name, given)
        elif self.style == "built-in" or name not in allowed:
            raise AttributeError(f"{self.style} {self.name} cannot be given {name}")
        else:
            vars(self)[name] = self._checked(given) if name == "default" else given

    def _checked(self, given):
        if self.style == "built-in":
            return given
        if self.style == "Pulse" or not isinstance(given, TYPES[self.style]):
            raise TypeError(f"{self.style} {self.name} does not take {given!r}")
        if self.style == "Menu" and given not in self.menuNames:
            raise ValueError(f"{self.name} has no {given!r} in its menu")
        given = max(given, self.min) if self.clampMin else given
        return min(given, self.max) if self.clampMax else given

    @property
    def val(self):
        return self.value

    @val.setter
    def val(self, given):
        vars(self).update(value=self._checked(given), mode=ParMode.CONSTANT)

    @property
    def expr(self):
        return self.code

    @expr.setter
    def expr(self, code):
        compile(code, self.name, "eval")
        vars(self).update(code=code, mode=ParMode.EXPRESSION)

    @property
    def bindExpr(self):  # noqa: N802
        return self.bound

    @bindExpr.setter
    def bindExpr(self, code):  # noqa: N802
        vars(self).update(bound=code, mode=ParMode.BIND)

    def eval(self):
        if self.mode == ParMode.EXPRESSION:
            return eval(self.code, self.owner.names())
        return self.value

    def pulse(self):
        assert self.style == "Pulse"
        for dat in self.owner.watchers("onpulse"):
            dat.module.onPulse(self)


class Pars:
    def __init__(self):
        vars(self)["all"] = {}

    def __getattr__(self, name):
        if name not in self.all:
            raise AttributeError(f"no parameter {name}")
        return self.all[name]

    def __setattr__(self, name, given):
        getattr(self, name).val = given


class Page:
    def __init__(self, owner, name):
        self.owner, self.name = owner, name

    def _append(self, style, name, label=None):
        if not NAME.fullmatch(name):
            raise ValueError(f"{name} is no name of a custom parameter")
        if name in self.owner.par.all:
            raise ValueError(f"{name} is there twice")
        par = Par(self.owner, name, style, label or name)
        vars(par)["page"] = self
        self.owner.par.all[name] = par
        return [par]

    def __getattr__(self, name):
        style = name.removeprefix("append")
        if name != "append" + style or style not in (*TYPES, "Pulse"):
            raise AttributeError(name)
        return lambda *given, **named: self._append(style, *given, **named)

    def destroy(self):
        self.owner.customPages.remove(self)
        for par in [par for par in self.owner.customPars if par.page is self]:
            del self.owner.par.all[par.name]


class Connector:
    def __init__(self):
        self.source = None

    def connect(self, other):
        assert isinstance(other, Op)
        self.source = other


class Op:
    def __init__(self, world, kind, name, parent):
        self.world, self.OPType, self.name, self._parent = world, kind, name, parent
        self.id = next(IDS)
        self.tags, self.children, self.customPages, self.storage = set(), [], [], {}
        self.nodeX = self.nodeY = 0
        self.par, self.seen, self.sent = Pars(), {}, []
        self.inputConnectors = [Connector() for _ in range(INPUTS.get(kind, 0))]
        for name in world.built_in[kind]:
            self.par.all[name] = Par(self, name, "built-in")
        self._text, self._module = "", None

    @property
    def path(self):
        return (self._parent.path.rstrip("/") + "/" + self.name) if self._parent else "/"

    def parent(self):
        return self._parent

    def names(self):
        """What a script in this operator, or an expression of its parameters, can name."""
        kinds = {kind: kind for kind in self.world.built_in}
        here = {"op": self._relative, "parent": self.parent, "me": self, "ParMode": ParMode}
        return {**kinds, **here, "ui": self.world.ui}

    def _relative(self, path):
        return self.world.find(path) if path.startswith("/") else self._parent.op(path)

    # Components

    @property
    def customPars(self):  # noqa: N802
        return [par for par in self.par.all.values() if par.style != "built-in"]

    def appendCustomPage(self, name):  # noqa: N802
        self.customPages.append(Page(self, name))
        return self.customPages[-1]

    def create(self, kind, name):
        if self.op(name) is not None:
            name += "1"
        self.children.append(Op(self.world, kind, name, self))
        return self.children[-1]

    def op(self, name):
        return next((child for child in self.children if child.name == name), None)

    def findChildren(self, *, tags=(), maxDepth=None):  # noqa: N802, N803
        found = [child for child in self.children if child.tags & set(tags)]
        deeper = [] if maxDepth == 1 else self.children
        for child in deeper:
            found += child.findChildren(tags=tags, maxDepth=maxDepth and maxDepth - 1)
        return found

    def fetch(self, key, default=None, search=True):
        assert not search, "a search goes up to the parents, and finds what is not meant"
        return self.storage.get(key, default)

    def store(self, key, value):
        self.storage[key] = value

    def watchers(self, event):
        dats = [child for child in self.children if child.OPType == "parameterexecuteDAT"]
        return [dat for dat in dats if dat.par.op.val == ".." and dat.par.all[event].val]

    # DATs

    @property
    def text(self):
        return self._text

    @text.setter
    def text(self, text):
        self._text, self._module = text, None

    @property
    def module(self):
        if self._module is None:
            self._module = types.ModuleType(self.path)
            vars(self._module).update(self.names())
            exec(compiled(self._text), vars(self._module))
            vars(self._module).update(self.world.instead)
        return self._module

    def sendOSC(self, address, values, *, asBundle=True):  # noqa: N802, N803
        assert self.OPType == "oscoutDAT"
        assert not asBundle
        assert address.startswith("/")
        assert isinstance(values, list)
        self.sent.append((address, *values))


class TouchDesigner:
    """`instead` replaces names in the modules of DATs; `built_in`: a build's own parameters."""

    def __init__(self, instead=None, **built_in):
        self.instead, self.built_in = instead or {}, {**BUILT_IN, **built_in}
        self.asked, self.answer, self.printed = [], 0, []
        self.ui = types.SimpleNamespace(messageBox=self._ask)
        self.root = Op(self, "baseCOMP", "", None)
        self.project = self.root.create("baseCOMP", "project1")

    def _ask(self, title, message, *, buttons):
        self.asked.append((title, message, buttons))
        return self.answer

    def find(self, path):
        found = self.root
        for name in path.strip("/").split("/") if path != "/" else []:
            found = found and found.op(name)
        return found

    def run(self, script):
        """Run a script in the Textport."""
        names = {**self.root.names(), "op": self.find, "print": self.printed.append}
        exec(compiled(script), names)

    def frame(self):
        """One frame: what has changed is told, then the frame starts."""
        for comp in self.root.findChildren(tags=["first_light"]):
            for par in comp.customPars:
                now = par.eval() if par.style != "Pulse" else None
                if comp.seen.get(par.name) != now:
                    previous, comp.seen[par.name] = comp.seen.get(par.name), now
                    for dat in comp.watchers("valuechange"):
                        dat.module.onValueChange(par, previous)
            for dat in comp.children:
                if dat.OPType == "executeDAT" and dat.par.framestart.val:
                    dat.module.onFrameStart(1)

    def hear(self, comp, address, *arguments):
        """One message of a bundle reaches the OSC In DAT."""
        dat = comp.op("osc_in")
        assert dat.par.splitbundle.val
        callbacks = comp.op(dat.par.callbacks.val).module
        callbacks.onReceiveOSC(dat, 0, "", b"", 0.0, address, list(arguments), None)
