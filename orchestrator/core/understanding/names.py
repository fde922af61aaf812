"""How people name products, crude grades, properties and units, in the languages of the control room.

Patterns read text that :func:`orchestrator.core.slots.fold` has brought to lower case without accents.
"""

from __future__ import annotations

_NO_TIME = "".join(
    f"(?<!{word} )"
    for word in (
        "s",
        "hour",
        "day",
        "week",
        "month",
        "year",
        "min",
        "minute",
        "h",
        "while",
        "xback",
    )
)
"""In front of AGO (atmospheric gas oil), so that ``6 hours ago`` names no product."""
PRODUCTS: tuple[tuple[str, str], ...] = (
    (
        (r"light (?:virgin )?naph?tha|naphta leger|\b(?:ln|lsr|lvn)\b|light cut|nafta (?:ligera|leve|leggera)|"
        r"leichtnaphtha|leichtes naphtha|lichte nafta|hafif nafta|легк\w+ нафт\w+|النافثا الخفيفة|轻石脑油"),
        "light naphtha",
    ),
    (
        (r"heavy (?:virgin )?naph?tha|naphta lourd|\b(?:hn|hvn)\b|heavy cut|nafta (?:pesada|pesante)|"
        r"schwernaphtha|schweres naphtha|zware nafta|agir nafta|тяжел\w+ нафт\w+|النافثا الثقيلة|重石脑油"),
        "heavy naphtha",
    ),
    (r"naphthas?\b|naphta|naptha|\bnafta|нафт[аыуе]|لنافثا|نافثا|石脑油", "naphtha"),
    (
        (r"jet ?fuel|jet a-?1|\bjet\b|carbureacteur|avtur|aviation (?:fuel|kero\w*)|turbosina|flugturbinenkraftstoff|"
        r"kerosene d'aviation|queroseno de aviacion|querosene de aviacao|flugkraftstoff|\bjet yakiti|"
        r"реактивн\w+ топлив\w+|авиакеросин\w*|авиатоплив\w*|وقود الطائرات|航煤|航空煤油"),
        "jet fuel",
    ),
    (
        (r"kerosene|kerosine|\bkeros?\b|\bdpk\b|kerosen|kerosin|[qc]h?u?erosene|queroseno|gazyagi|"
        r"керосин\w*|كيروسين|煤油"),
        "kerosene",
    ),
    (
        (r"heating oil|gas-?oil de chauffage|gazole de chauffage|fioul domestique|\bfod\b|(?<!schweres )heizol\w*|"
        r"gasoleo (?:de )?calefaccion|gasolio da riscaldamento|huisbrandolie|isitma yakiti|печн\w+ топлив\w+|取暖油"),
        "heating oil",
    ),
    (
        (rf"diesel\w*|gazoles?|\bulsd\b|{_NO_TIME}\bago\b|\bderv\b|(?<!vacuum )\bgas-?oil\b|gasoleo|gasolio|"
        r"\bmotorin\w*|\bmazotun\b|dizel\w*|дизел\w*|дизтоплив\w*|солярк\w*|ديزل|السولار|柴油"),
        "diesel",
    ),
    (
        (r"gasoline|petrol\b|\bpms\b|\bessence\b|mogas|gasolina|benzina|benzine\b|\bbenzin\w*|"
        r"бензин\w*|بنزين|汽油"),
        "gasoline",
    ),
    (r"\blpg\b|\bgpl\b|\bglp\b|flussiggas|сжиженн\w+ газ\w*|\bсуг\b|غاز البترول المسال|液化(?:石油)?气", "lpg"),
    (r"\bpropane?\b|\bpropano\b|пропан\w*|بروبان|丙烷", "propane"),
    (r"\bvgo\b|vacuum gas ?oil|vakuumgasol|вакуумн\w+ газойл\w*|减压蜡油|蜡油", "vgo"),
    (r"\bvlsfo\b", "vlsfo"),
    (
        (r"fuel oil|\bhsfo\b|\blsfo\b|\bhfo\b|fioul lourd|\bmazout\b|schwerol|schweres heizol|fueloil|combustoleo|"
        r"oleo combustivel|olio combustibile|stookolie|мазут\w*|زيت الوقود|燃料油"),
        "fuel oil",
    ),
    (
        (r"residues?\b|\bresids?\b|residu\b|residuo\b|\bresiduum|ruckstand\w*|atmospheric bottoms?|"
        r"остат(?:ок|ка|ку|ков)\b|المتبقي|渣油"),
        "residue",
    ),
    (r"middle distillates?|distillats moyens|mitteldestillate?n?|destilados medios|средн\w+ дистиллят\w*", "middle distillates"),
    (r"distillates?|distillats?|destillate?n?\b|destilados?|distillati|дистиллят\w*", "distillate"),
    (r"bitumen|\basphalt\w*|bitume|asfalto|betun|bitum\b|битум\w*|沥青", "bitumen"),
)  # fmt: skip
GRADES: tuple[tuple[str, str], ...] = (
    *tuple(
        (rf"\b{name}\b", name)
        for name in (
            "brent",
            "wti",
            "dubai",
            "urals",
            "forties",
            "maya",
            "oman",
            "murban",
            "forcados",
            "qua iboe",
            "bonny light",
            "escravos",
            "arab light",
            "arab medium",
            "arab heavy",
            "arab extra light",
            "es sider",
            "saharan blend",
            "basrah light",
            "basrah medium",
            "basrah heavy",
            "azeri light",
            "kirkuk",
            "tapis",
            "western canadian select",
            "wcs",
            "mars",
        )
    ),
    (r"布伦特|برنت|брент\w*", "brent"),
    (r"迪拜原油", "dubai"),
)
CRUDE = (
    r"(?<!light )(?<!heavy )(?<!sour )(?<!sweet )(?<!against )(?<!more )(?<!less )(?<!vs )(?<!versus )"
    r"(?<!which )(?<!what )(?<!above )(?<!over )(?<!above the )(?<!over the )(?<!against the )(?<!to the )"
    r"(?<!quel )(?<!new )(?<!of the )(?<!contra )(?<!sur le )(?<!relative to )(?<!compared to )(?<!next to )"
    r"\b(?:crude(?: oil)?|brut|rohol|crudo|greggio|ruwe olie|ham petrol)\b"
    r"(?! (?:diet|slate|heater|feed|unit|rate|charge|column|tower|furnace|preheat|basket|selection|mix|"
    r"train|run|runs|intake|throughput|pump|temperature|flow|it came|tank \d|cargo|plan|crack|should|we|to))"
    r"|原油(?!加工)|النفط الخام|сыр\w+ нефт\w+"
)
PROPERTIES: tuple[tuple[str, str], ...] = (
    (r"\bt ?90\b|\bt-90\b|90 ?% (?:point|recovered)|d86 90", "T90"),
    (r"\bt ?95\b|\bt-95\b|95 ?% (?:point|recovered)|d86 95", "T95"),
    (
        (r"\bfbp\b|\bep\b|end ?-?point\b|final boiling|point final|punto finale?|ponto final|siedeende|"
        r"eindkookpunt|son kaynama|кон(?:ец|ца) кипени\w+|终馏点|干点|نقطة النهاية"),
        "FBP",
    ),
    (
        (r"cut ?-?points?|points? de coupe|punto de corte|ponto de corte|schnittpunkt|trennschnitt|"
        r"punto di taglio|切割点"),
        "cut point",
    ),
    (
        (r"\bflash(?: ?-?point)?\b(?! (?:zone|drum|drums|column|tower|vessel|section|gas|memory|drive|news|the lights))"
        r"|point d.eclair|flammpunkt\w*|punto (?:de|di) (?:inflama\w+|infiamma\w+)|ponto de fulgor|vlampunt|"
        r"parlama noktasi|вспышк\w+|نقطة الوميض|闪点"),
        "flash point",
    ),
    (
        (r"\bfreez(?:e|ing)(?: ?-?point)?\b|point de congelation|gefrierpunkt|punto (?:de congelacion|di congelamento)|"
        r"ponto de congelamento|vriespunt|donma noktasi|замерзани\w+|نقطة التجمد|冰点"),
        "freeze point",
    ),
    (
        (r"\bcloud(?: ?-?point)?\b(?! (?:storage|server|service))|point de trouble|trubungspunkt|cloudpoint|"
        r"punto de (?:enturbiamiento|niebla|nube)|ponto de nevoa|punto di (?:intorbidamento|nebbia)|troebelingspunt|"
        r"bulutlanma|помутнени\w+|نقطة (?:الغيم|التغيم|التعتيم)|浊点"),
        "cloud point",
    ),
    (
        (r"\bpour(?: ?-?point)\b|point d.ecoulement|punto de (?:fluidez|escurrimiento)|ponto de fluidez|stockpunkt|fliesspunkt|"
        r"punto di scorrimento|vloeipunt|akma noktasi|застывани\w+|نقطة الانسكاب|倾点|凝点"),
        "pour point",
    ),
    (
        (r"\bsmoke(?: ?-?point)\b|\bsmoke\b(?! (?:on|alarm|detector))|point de fumee|rauchpunkt|russpunkt|punto (?:de humo|di fumo)|"
        r"ponto de fuligem|is noktasi|烟点"),
        "smoke point",
    ),
    (r"\bron\b|octanes?\b|octano\w*|\boktan\w*|octaan\w*|ottano\b|октанов\w*|رقم الأوكتان|الاوكتان|辛烷值", "RON"),
    (
        (r"\brvp\b|\breid\b|vapou?r pressure|tension de vapeur|presion de vapor|pressao de vapor|dampfdruck|"
        r"tensione di vapore|dampspanning|давлени\w+ (?:насыщенн\w+ )?паров|蒸[气汽]压"),
        "RVP",
    ),
    (
        (r"sul(?:ph|f)ur(?! (?:fuel|recovery|plant|balance))|soufre|azufre|enxofre|schwefel\w*|zolfo|zwavel\w*|"
        r"kukur[dt]u?\b|\bсер[аыуе]\b|كبريت|硫(?!化)"),
        "sulphur",
    ),
    (r"aromatics?\b|aromatiques|aromaticos|aromaten|aromatici|ароматик\w*|芳烃", "aromatics"),
)  # fmt: skip
UNITS: tuple[tuple[str, str], ...] = (
    (
        (
            r"\bcdu\b|crude unit|crude distillation|topping unit|atmospheric (?:unit|distillation)|"
            r"unite de distillation atmospherique|unidad de crudo|rohol-?destillation|常压装置|атмосферн\w+ установк\w+"
        ),
        "CDU",
    ),
    (
        (
            r"\bvdu\b|vac(?:uum)? unit|\bdsv\b|vacuum distillation|distillation sous vide|unidad de vacio|vakuumanlage|"
            r"减压装置|вакуумн\w+ установк\w+"
        ),
        "VDU",
    ),
    (r"\bdht\b|diesel hydrotreater|hydrotraitement du gazole|柴油加氢", "DHT"),
    (r"\bfccu?\b|cat(?:alytic)? cracker|催化裂化", "FCC"),
    (r"\breformer\b|\breformeurs?\b|\breformador\w*|риформинг\w*|重整", "reformer"),
)
UNIT_NUMBER = r"\b(?:unit|unite|unidad|unidade|einheit|anlage|unita|установк\w+) (?:no\.? ?|nr\.? ?|n. )?(\d{1,4})\b"
