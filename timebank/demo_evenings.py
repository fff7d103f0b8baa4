"""What brings people together in the demo: gatherings of its two neighbourhoods as plain values.

Nothing is written here. What is shared has to come out even: a minute that is left over goes by
lot, and the lot falls otherwise on another day. Days are counted back from the day the demo is
made: 0 is tonight, and what lies below zero is still to come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from enum import Enum, IntEnum

from timebank.gatherings import Openness, Rule
from timebank.roles import BuiltIn


class Format(IntEnum):
    """Positions in the list of formats that a community begins with."""

    TEA_AND_TALK = 0
    PECHAKUCHA = 1
    ONLINE = 2
    CIRCLE = 3
    WORK_DAY = 4
    SHARED_MEAL = 5
    ORIENTATION = 6


class Until(Enum):
    """How far a gathering that is over has come."""

    OPEN = "open"  # its list is still open
    SENT = "sent"  # its hours wait to be approved
    SETTLED = "settled"
    CORRECTED = "corrected"  # settled, then its list was opened again for somebody


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody told afterwards: what was useful, and what they might do now."""

    who: str
    useful: str
    might: str = ""
    named: bool = True


@dataclass(frozen=True, slots=True)
class Task:
    """Something that somebody took on; `done`: it is done by now."""

    words: str
    who: str = ""
    days: int = 14
    done: bool = False


@dataclass(frozen=True, slots=True)
class Evening:
    """One gathering: what it is like, who carries what, and what is left of it.

    `carries` says for each role who carries it; `wants` how many it takes, where that is more.
    `some` others come besides, and `maybe`, `no`, `asked` say so or have not answered. `guests`
    are no members. Who came late or left early stands in `part`, with their minutes; `walk_ins`
    simply came.
    """

    title: str
    purpose: str
    place: str
    by: str
    days_ago: int
    at: time = time(18, 30)
    lasts: int = 120
    format: Format = Format.TEA_AND_TALK
    host: str = ""
    payer: str = ""
    area: str = ""
    access: str = ""
    link: str = ""
    bring: str = ""
    capacity: int | None = None
    openness: Openness = Openness.MEMBERS
    rule: Rule = Rule.SPONSORED
    carries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    wants: Mapping[str, int] = field(default_factory=dict)
    some: int = 0
    comes: tuple[str, ...] = ()
    maybe: tuple[str, ...] = ()
    no: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    guests: tuple[tuple[str, str], ...] = ()  # name, and where from
    walk_ins: tuple[str, ...] = ()
    part: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    tasks: tuple[Task, ...] = ()
    told: tuple[Said, ...] = ()
    invited_house: str = ""
    invitation: str = ""
    until: Until = Until.SETTLED
    late: str = ""  # CORRECTED: who was there and was not ticked
    reason: str = ""  # CORRECTED: the words for it, or why it was called off

    @property
    def roles(self) -> tuple[tuple[str, int], ...]:
        """The roles it needs, and how many people each."""
        keys = dict.fromkeys((*self.carries, *self.wants))
        return tuple((k, max(len(self.carries.get(k, ())), self.wants.get(k, 0))) for k in keys)


@dataclass(frozen=True, slots=True)
class Circle:
    """A gathering every fortnight: how it is planned, and what differs from date to date.

    It begins `dates` fortnights ago, and one of its dates is tonight. Those who carry a role take
    turns. `called_off` is the number of fortnights ago of the one that did not take place.
    """

    evening: Evening  # tonight's; its days do not count
    dates: int
    turns: Mapping[str, tuple[str, ...]]
    some: int  # who comes besides, on an ordinary evening
    questions: tuple[str, ...]  # talked about in turn, kept as the note of the evening
    told: tuple[Said, ...]
    called_off: int
    why: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a sheet of paper that a coordinator types in."""

    giver: str
    receiver: str
    minutes: int
    days_ago: int
    skill: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Calendar:
    """All gatherings of a neighbourhood, and a sheet that hung beside the kettle."""

    circle: Circle
    evenings: tuple[Evening, ...]
    sheet: tuple[Row, ...]
    label: str


HOST, TEA, FACILITATE = BuiltIn.HOST.value, BuiltIn.TEA.value, BuiltIn.FACILITATE.value
NOTES, INVITE = BuiltIn.NOTES.value, BuiltIn.INVITE.value
CHILDCARE, INTERPRET = BuiltIn.CHILDCARE.value, BuiltIn.INTERPRET.value
FOLLOW_UP = BuiltIn.FOLLOW_UP.value

_TEA_AND_TALK = Circle(
    Evening(
        "Tea and talk",
        "Tea and cake, then one question talked about in small rounds, so that everybody is heard.",
        "Riverside Library, upstairs room",
        "Elena Petrova",
        0,
        host="Riverside Library",
        area="Mill Road",
        access="Lift beside the returns desk. The 42 stops at the door.",
        bring="A cup, if you have a favourite one.",
        capacity=16,
        carries={HOST: ("Elena Petrova",), FACILITATE: ("Kwame Mensah",)},
        wants={TEA: 1, NOTES: 1},
        comes=(
            "Margaret Okafor",
            "Bert Hughes",
            "Grace Adeyemi",
            "Jorge Medina",
            "Joyce Campbell",
            "Samuel Cohen",
            "Claire Dubois",
        ),
        maybe=("Sean Gallagher",),
        no=("Ines Carvalho",),
        asked=("Amina Yusuf", "Daniel Price", "Wei Zhang", "Doris Kettle"),
        guests=(("Marta Silva", "College Lane Church"),),
        invited_house="Waterside Homes",
        invitation="We talk about the new flats by the lock. It would be good to have you there.",
    ),
    dates=22,
    turns={
        HOST: ("Elena Petrova", "Sophie Turner", "Elena Petrova", "Hannah Levy"),
        TEA: ("Amina Yusuf", "Ines Carvalho", "Fatima Rahman", "Sean Gallagher", "Joyce Campbell"),
        FACILITATE: ("Kwame Mensah", "Jorge Medina", "Hannah Levy", "Grace Adeyemi"),
        NOTES: ("Oliver Bennett", "Samuel Cohen", "Wei Zhang"),
    },
    some=5,
    questions=(
        "Who was the first neighbour you knew by name? Most of us named somebody over eighty.",
        "What would make the towpath safe after dark? Lamps, hedges, and people.",
        "What can you do that nobody has asked you for yet? We filled a whole sheet.",
        "Where do you go when it rains? Nobody said the same place twice.",
        "When did somebody's help come too late? We listened a lot.",
    ),
    told=(
        Said(
            "Samuel Cohen",
            "That nobody wanted to fix anything for the first half hour.",
            "Write with Fatima to the landlord.",
        ),
        Said("Grace Adeyemi", "Bert told how the mill burned. The children ought to hear that."),
        Said("Tom Whitlock", "I came for the cake and stayed for the people.", "Bring courgettes."),
        Said("Fatima Rahman", "I spoke in front of others for the first time.", named=False),
        Said("Jorge Medina", "Two people asked me about their bicycles.", "A repair evening."),
    ),
    called_off=9,
    why="The heating at the library has failed. Tea another time.",
)

_RIVERSIDE = (
    Evening(
        "River clean-up",
        "Boots, bags and a flask: from the lock to the old mill.",
        "The lock, Canal Side",
        "Sophie Turner",
        299,
        time(10),
        180,
        Format.WORK_DAY,
        host="Canal Side Tenants",
        area="Canal Side",
        bring="Boots and gloves.",
        rule=Rule.NONE,
        carries={HOST: ("Sophie Turner",), TEA: ("Sean Gallagher",)},
        some=8,
        walk_ins=("Two people from the rowing club",),
        notes=("Eleven bags, three bicycles and a road sign. The council fetches them.",),
    ),
    Evening(
        "One long table",
        "Everybody cooks something, and nobody eats alone.",
        "Good Neighbours Kitchen, The Meadows",
        "Harjit Singh",
        257,
        time(12, 30),
        150,
        Format.SHARED_MEAL,
        host="Good Neighbours Kitchen",
        area="The Meadows",
        rule=Rule.SPLIT,
        carries={
            HOST: ("Harjit Singh",),
            TEA: ("Priya Nair", "Amina Yusuf"),
        },
        some=9,
        guests=(("Harjit's brother", ""),),
        told=(Said("Tom Whitlock", "I had not eaten with so many people since my wedding."),),
    ),
    Evening(
        "Twenty pictures of Riverside",
        "Seven neighbours, twenty pictures each, twenty seconds a picture.",
        "Riverside Library, reading room",
        "Hannah Levy",
        215,
        time(19),
        150,
        Format.PECHAKUCHA,
        host="Riverside Library",
        area="Mill Road",
        openness=Openness.PUBLIC,
        carries={
            HOST: ("Hannah Levy",),
            TEA: ("Joyce Campbell", "Fatima Rahman"),
            FACILITATE: ("Nia Roberts",),
        },
        some=9,
        guests=(("Lewis Grant", "Riverside Gazette"), ("Marta Silva", "College Lane Church")),
        part={"Fatima Rahman": 90},
        notes=("Order: Sophie, Tom with his beans, Wei, Harjit's garden, Oliver, Ruth.",),
        tasks=(Task("Ask the library for the room in autumn, too", "Hannah Levy", done=True),),
        told=(
            Said("Tom Whitlock", "Young people asking how a bean climbs.", "Show them my seeds."),
            Said("Sophie Turner", "The break. I met three people from my own street."),
        ),
    ),
    Evening(
        "Mend it yourself",
        "Bring what is broken, take it home whole.",
        "The tenants' shed, Canal Side",
        "Robert Ellis",
        173,
        time(14),
        120,
        Format.WORK_DAY,
        host="Canal Side Tenants",
        area="Canal Side",
        rule=Rule.WORKSHOP,
        carries={FACILITATE: ("Jorge Medina", "Robert Ellis"), TEA: ("Sophie Turner",)},
        some=7,
        part={"Robert Ellis": 90},
        notes=("What we paid in and did not use stays here for the next one: new drill bits.",),
    ),
    Evening(
        "Conversation table",
        "Spanish and English, half an hour each way, and biscuits.",
        "Riverside Library, by the window",
        "Claire Dubois",
        131,
        time(17),
        90,
        host="Riverside Library",
        area="Mill Road",
        rule=Rule.ONE_FOR_ONE,
        carries={FACILITATE: ("Claire Dubois", "Jorge Medina"), INTERPRET: ("Zara Malik",)},
        some=6,
    ),
    Evening(
        "What is a time bank?",
        "For people who are new, or curious. With tea, and time for questions.",
        "Riverside Surgery, waiting room",
        "Priya Nair",
        89,
        time(18),
        60,
        Format.ORIENTATION,
        host="Riverside Surgery",
        payer="Riverside Surgery",
        area="Station Quarter",
        openness=Openness.PUBLIC,
        carries={
            HOST: ("Aisha Bello",),
            TEA: ("Michael Osei",),
            FOLLOW_UP: ("Joyce Campbell",),
        },
        some=3,
        guests=(("Jenny Lowe", ""), ("Tariq Aziz", "the college"), ("Pat Morris", "")),
        tasks=(Task("Ring the three who were new", "Joyce Campbell", done=True),),
        told=(Said("Michael Osei", "Nobody asked what it costs, once Bert had told his story."),),
    ),
    Evening(
        "Soup for forty",
        "A pot as big as a bathtub, and somebody beside you to talk to.",
        "Good Neighbours Kitchen, The Meadows",
        "Harjit Singh",
        47,
        time(18),
        150,
        Format.SHARED_MEAL,
        host="Good Neighbours Kitchen",
        area="The Meadows",
        openness=Openness.PUBLIC,
        carries={
            HOST: ("Harjit Singh",),
            TEA: ("Leila Haddad", "Winston Baptiste"),
            CHILDCARE: ("Chloe Barnes",),
            INTERPRET: ("Zara Malik",),
        },
        some=14,
        guests=(("Jenny Lowe", ""), ("Ali and his mother", "")),
        walk_ins=("A man with a trumpet",),
        part={"Leila Haddad": 105},
        until=Until.CORRECTED,
        late="Patrick Doyle",
        reason="Patrick washed up until ten and was not on the list.",
        notes=("Forty-three bowls. More lentils next time, less pepper.",),
        tasks=(
            Task("Give the big pot back to the school", "Harjit Singh", done=True),
            Task("Find a second ladle", "", 60),
        ),
        told=(
            Said("Winston Baptiste", "Cooking for more than one.", "Teach whoever wants my dal."),
            Said("Chloe Barnes", "The children ran the pudding by themselves.", named=False),
        ),
    ),
    Evening(
        "Those who look after others",
        "One tells what is on their mind; the rest ask, and do not advise.",
        "Waterside Homes, common room",
        "Kwame Mensah",
        26,
        time(17, 30),
        90,
        Format.CIRCLE,
        host="Waterside Homes",
        area="Canal Side",
        openness=Openness.INVITED,
        rule=Rule.NONE,
        carries={HOST: ("Kwame Mensah",), FACILITATE: ("Margaret Okafor",)},
        comes=("Grace Adeyemi", "Tom Whitlock", "Sean Gallagher", "Yusuf Demir"),
    ),
    Evening(
        "Walk to the old lock",
        "Slowly, with benches on the way.",
        "Riverside Surgery, front door",
        "George Hill",
        4,
        time(10, 30),
        90,
        Format.WORK_DAY,
        host="Riverside Surgery",
        area="Station Quarter",
        carries={FACILITATE: ("George Hill",), TEA: ("Patrick Doyle",)},
        some=6,
        walk_ins=("Jo",),
        until=Until.OPEN,
    ),
    Evening(
        "Soup evening",
        "Cooked together, eaten together, washed up together.",
        "Good Neighbours Kitchen, The Meadows",
        "Harjit Singh",
        1,
        time(17, 30),
        120,
        Format.SHARED_MEAL,
        host="Good Neighbours Kitchen",
        area="The Meadows",
        carries={HOST: ("Harjit Singh",), TEA: ("Amina Yusuf", "Leila Haddad")},
        some=9,
        guests=(("Marcus Reid", ""),),
        walk_ins=("Mei Lin Tan",),
        part={"Leila Haddad": 75},
        until=Until.SENT,
    ),
    Evening(
        "Path and benches",
        "A morning's work in the school garden, and lunch from the big pot.",
        "Mill Road Primary School, the gate in Mill Road",
        "Grace Adeyemi",
        -6,
        time(9, 30),
        210,
        Format.WORK_DAY,
        host="Mill Road Primary School",
        area="Mill Road",
        bring="Gloves, and a spade if you have one.",
        capacity=20,
        carries={HOST: ("Grace Adeyemi",), TEA: ("Ruth Bennett",)},
        wants={TEA: 2, CHILDCARE: 1},
        comes=("Tom Whitlock", "Ben Fletcher", "Piotr Nowak", "Harjit Singh", "Oliver Bennett"),
        maybe=("Amina Yusuf",),
    ),
    Evening(
        "Twenty pictures: hands",
        "Hands at work, at rest, in the dough. Twenty pictures each, twenty seconds a picture.",
        "Riverside Library, reading room",
        "Hannah Levy",
        -10,
        time(19),
        150,
        Format.PECHAKUCHA,
        host="Riverside Library",
        area="Mill Road",
        openness=Openness.PUBLIC,
        carries={HOST: ("Hannah Levy",), TEA: ("Joyce Campbell",)},
        wants={TEA: 2, FACILITATE: 1},
        comes=("Wei Zhang", "Mei Lin Tan", "Sophie Turner"),
        guests=(("Lewis Grant", "Riverside Gazette"),),
    ),
    Evening(
        "What is a time bank? From home",
        "For those who cannot come out in the evening: the same questions, on a screen.",
        "",
        "Priya Nair",
        -18,
        time(20),
        60,
        Format.ONLINE,
        link="https://meet.example/riverside",
        carries={HOST: ("Zara Malik",)},
        wants={FACILITATE: 1},
        openness=Openness.PUBLIC,
        comes=("Joyce Campbell",),
    ),
)

_RIVERSIDE_SHEET = (
    Row("Albert Finch", "Joyce Campbell", 90, 13, "gardening", "Roses by the chapel"),
    Row("Doris Kettle", "Bert Hughes", 60, 12, "letters"),
    Row("Bert Hughes", "Edna Marsh", 45, 11, "repairs", "The wireless sings again"),
    Row("Edna Marsh", "Albert Finch", 75, 10, "sewing"),
    Row("Winston Baptiste", "Doris Kettle", 120, 9, "cooking", "Dal for the freezer"),
    Row("Sean Gallagher", "Winston Baptiste", 60, 9, "lifts"),
    Row("Joyce Campbell", "Doris Kettle", 90, 8, "company"),
)

_CAFE = Circle(
    Evening(
        "Café y charla",
        "Café y algo dulce, y una pregunta hablada en pequeñas rondas.",
        "Casa de Carmen, Calle Mayor 12",
        "Carmen Ferrer",
        0,
        at=time(18),
        lasts=90,
        area="Calle Mayor",
        access="Planta baja, sin escalones.",
        capacity=12,
        carries={HOST: ("Carmen Ferrer",)},
        wants={TEA: 1, FACILITATE: 1},
        comes=("Amparo Gil", "Lucía Navarro", "Nuria Pons"),
        maybe=("Mateo Ruiz",),
        asked=("Vicent Soler", "Rosa Vidal"),
        guests=(("Andrés Llorca", ""),),
    ),
    dates=6,
    turns={
        HOST: ("Carmen Ferrer",),
        TEA: ("Rosa Vidal", "Nuria Pons"),
        FACILITATE: ("Lucía Navarro", "Mateo Ruiz"),
    },
    some=2,
    questions=(
        "¿Qué echas de menos en el barrio? Un banco a la sombra, dijimos casi todos.",
        "¿Qué sabes hacer que aún no te ha pedido nadie? Llenamos una hoja entera.",
    ),
    told=(
        Said("Amparo Gil", "Que me preguntaran por el puerto de antes.", "Traer las fotos."),
        Said("Nuria Pons", "Salir de casa un rato y volver con dos recetas."),
    ),
    called_off=4,
    why="Carmen tiene gripe. Nos vemos en quince días.",
)

_BARRIO = (
    Evening(
        "Comida en la huerta",
        "Cada cual trae algo, y nadie come a solas.",
        "La huerta de Mateo",
        "Mateo Ruiz",
        75,
        time(13, 30),
        150,
        Format.SHARED_MEAL,
        area="La Huerta",
        rule=Rule.SPLIT,
        carries={HOST: ("Mateo Ruiz",), TEA: ("Rosa Vidal", "Nuria Pons")},
        some=5,
        guests=(("Andrés Llorca", ""),),
        told=(Said("Rosa Vidal", "Éramos nueve y cabíamos en una mesa."),),
    ),
    Evening(
        "Asamblea del barrio",
        "Lo que hemos hecho, y lo que falta.",
        "Local de la asociación, Calle Mayor",
        "Vicent Soler",
        40,
        time(18),
        90,
        Format.CIRCLE,
        area="Calle Mayor",
        rule=Rule.NONE,
        carries={FACILITATE: ("Vicent Soler",), NOTES: ("Lucía Navarro",)},
        some=5,
        notes=("Queremos un huerto en común. Mateo pregunta por el solar de la esquina.",),
        tasks=(Task("Preguntar en el ayuntamiento por el solar", "Mateo Ruiz", 60),),
    ),
    Evening(
        "Merienda en la plaza",
        "Chocolate, coca y sillas de casa.",
        "Plaza del Mercado",
        "Rosa Vidal",
        1,
        time(17),
        120,
        Format.SHARED_MEAL,
        area="Calle Mayor",
        openness=Openness.PUBLIC,
        carries={HOST: ("Rosa Vidal",), TEA: ("Nuria Pons",)},
        some=3,
        walk_ins=("La prima de Nuria",),
        part={"Nuria Pons": 60},
        until=Until.SENT,
    ),
    Evening(
        "Jornada en el huerto",
        "Bancales nuevos, y arroz a mediodía.",
        "La huerta de Mateo",
        "Mateo Ruiz",
        -8,
        time(10),
        240,
        Format.WORK_DAY,
        area="La Huerta",
        bring="Guantes y gorra.",
        carries={HOST: ("Mateo Ruiz",)},
        wants={TEA: 2},
        comes=("Vicent Soler", "Jorge Medina"),
    ),
)

_BARRIO_SHEET = (
    Row("Amparo Gil", "Nuria Pons", 90, 12, "cocina", "Arroz al horno"),
    Row("Lucía Navarro", "Amparo Gil", 60, 10, "ordenador"),
    Row("Mateo Ruiz", "Amparo Gil", 60, 9, "acompañar", "Al médico y vuelta"),
)

CALENDARS: Mapping[str, Calendar] = {
    "riverside": Calendar(_TEA_AND_TALK, _RIVERSIDE, _RIVERSIDE_SHEET, "The sheet by the kettle"),
    "barrio-del-puerto": Calendar(_CAFE, _BARRIO, _BARRIO_SHEET, "La hoja junto a la cafetera"),
}
"""By community."""
