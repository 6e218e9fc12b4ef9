"""What each reason code says, in French, Dutch and English, in this order."""

from __future__ import annotations

LANGUAGES = ("fr", "nl", "en")

TEMPLATES: dict[str, tuple[str, str, str]] = {
    "lead_time.short": (
        "La demande {priority} arrive {hours} avant le début ; délai convenu : {days}.",
        "De {priority}-aanvraag komt {hours} voor de start; afgesproken is {days}.",
        "The {priority} request comes {hours} before its start; {days} ahead was agreed.",
    ),
    "window.past": (
        "La fenêtre demandée est déjà passée.",
        "Het gevraagde tijdvak is al voorbij.",
        "The requested window has already passed.",
    ),
    "drone.gone": (
        "Le drone prévu n'est plus en service.",
        "De geplande drone is niet meer in dienst.",
        "The drone of the plan is no longer in service.",
    ),
    "pilot.gone": (
        "Le pilote prévu n'est plus en fonction.",
        "De geplande piloot is niet meer actief.",
        "The pilot of the plan is no longer active.",
    ),
    "drone.retired": (
        "{drone} est retiré du service.",
        "{drone} is uit dienst.",
        "{drone} is retired.",
    ),
    "drone.defect": (
        "{drone} est immobilisé par un défaut : {text}.",
        "{drone} staat aan de grond door een defect: {text}.",
        "{drone} is grounded by a defect: {text}.",
    ),
    "drone.service_overdue": (
        "L'entretien « {rule} » de {drone} est dû ({used_pct} % de l'intervalle).",
        "Het onderhoud “{rule}” van {drone} is verstreken ({used_pct} % van het interval).",
        "The service “{rule}” of {drone} is due ({used_pct} % of its interval).",
    ),
    "drone.service_soon": (
        "L'entretien « {rule} » de {drone} approche ({used_pct} % de l'intervalle).",
        "Het onderhoud “{rule}” van {drone} nadert ({used_pct} % van het interval).",
        "The service “{rule}” of {drone} is near ({used_pct} % of its interval).",
    ),
    "pack.worn": (
        "La batterie {pack} est usée ({cycles} cycles, {health_pct} % de capacité).",
        "Batterij {pack} is versleten ({cycles} cycli, {health_pct} % capaciteit).",
        "Battery {pack} is worn ({cycles} cycles, {health_pct} % of its capacity).",
    ),
    "pack.worn_soon": (
        "La batterie {pack} approche de sa fin de vie ({cycles} cycles, {health_pct} %).",
        "Batterij {pack} nadert het einde ({cycles} cycli, {health_pct} %).",
        "Battery {pack} nears its end of life ({cycles} cycles, {health_pct} %).",
    ),
    "pack.retired": (
        "La batterie {pack} est retirée du service.",
        "Batterij {pack} is uit dienst.",
        "Battery {pack} is retired.",
    ),
    "pilot.currency_soon": (
        "{pilot} doit voler avant le {until} pour garder son expérience récente.",
        "{pilot} moet vóór {until} vliegen om recente ervaring te behouden.",
        "{pilot} must fly by {until} to stay current.",
    ),
    "pilot.inactive": (
        "{pilot} n'est plus en fonction.",
        "{pilot} is niet meer actief.",
        "{pilot} is no longer active.",
    ),
    "pilot.absent": (
        "{pilot} est absent.",
        "{pilot} is afwezig.",
        "{pilot} is absent.",
    ),
    "pilot.not_current": (
        "Moins de {flights} vols dans les 90 derniers jours : {pilot}.",
        "Minder dan {flights} vluchten in de laatste 90 dagen: {pilot}.",
        "Fewer than {flights} flights within the last 90 days: {pilot}.",
    ),
    "pilot.expired": (
        "Le certificat {credential} de {pilot} n'est valable que jusqu'au {until}.",
        "Het bewijs {credential} van {pilot} is maar geldig tot {until}.",
        "The credential {credential} of {pilot} is valid only until {until}.",
    ),
    "pilot.unlicensed": (
        "{pilot} n'a pas le certificat {credential}.",
        "{pilot} heeft het bewijs {credential} niet.",
        "{pilot} does not hold the credential {credential}.",
    ),
    "pilot.expires_soon": (
        "Le certificat {credential} de {pilot} expire le {until}.",
        "Het bewijs {credential} van {pilot} vervalt op {until}.",
        "The credential {credential} of {pilot} expires on {until}.",
    ),
    "drone.not_capable": (
        "{drone} n'offre pas : {capability}.",
        "{drone} biedt geen: {capability}.",
        "{drone} does not offer: {capability}.",
    ),
    "drone.held": (
        "{drone} est retenu jusqu'au {until}.",
        "{drone} is bezet tot {until}.",
        "{drone} is held until {until}.",
    ),
    "airspace.pending": (
        "L'espace aérien n'est autorisé qu'à partir du {from}.",
        "Het luchtruim is pas vrijgegeven vanaf {from}.",
        "The airspace is approved only from {from}.",
    ),
    "airspace.ends": (
        "L'espace aérien n'est autorisé que jusqu'au {until}.",
        "Het luchtruim is maar vrijgegeven tot {until}.",
        "The airspace is approved only until {until}.",
    ),
    "airspace.needed": (
        "L'espace aérien demande une autorisation que personne n'a encore demandée.",
        "Het luchtruim vraagt een toelating die nog niemand heeft aangevraagd.",
        "The airspace needs an approval that nobody has asked for yet.",
    ),
    "airspace.asked": (
        "L'autorisation de l'espace aérien est demandée à {authority} ; pas encore de réponse.",
        "De toelating voor het luchtruim is gevraagd aan {authority}; nog geen antwoord.",
        "The airspace approval has been asked from {authority}; there is no answer yet.",
    ),
    "airspace.refused": (
        "{authority} a refusé l'espace aérien ({reference}).",
        "{authority} heeft het luchtruim geweigerd ({reference}).",
        "{authority} refused the airspace ({reference}).",
    ),
    "slot.dark": (
        "Commencée le {start}, la tâche se ferait en partie de nuit ; elle demande le jour.",
        "Met begin op {start} zou de taak deels in het donker vallen; ze vraagt daglicht.",
        "Begun at {start}, the task would lie partly in the dark; it needs daylight.",
    ),
    "weather.wind": (
        "Rafales de {expected} m/s prévues jusqu'au {until} ; limite {limit} m/s : {drone}.",
        "Windstoten van {expected} m/s verwacht tot {until}; grens {limit} m/s: {drone}.",
        "Gusts of {expected} m/s are forecast until {until}; limit {limit} m/s: {drone}.",
    ),
    "weather.rain": (
        "Pluie de {expected} mm/h prévue jusqu'au {until} ; limite {limit} mm/h : {drone}.",
        "Regen van {expected} mm/u verwacht tot {until}; grens {limit} mm/u: {drone}.",
        "Rain of {expected} mm/h is forecast until {until}; limit {limit} mm/h: {drone}.",
    ),
    "drone.busy": (
        "En mission pour la demande {requests} : {drone}.",
        "Ingezet voor aanvraag {requests}: {drone}.",
        "Out for request {requests}: {drone}.",
    ),
    "duty.too_long": (
        "La mission dépasse le service maximal de {hours} : divisez-la en parties.",
        "De opdracht overschrijdt de maximale dienst van {hours}: splits ze op.",
        "The task exceeds the longest duty of {hours}: split it into parts.",
    ),
    "pilot.busy": (
        "En mission pour la demande {requests} : {pilot}.",
        "Ingezet voor aanvraag {requests}: {pilot}.",
        "Out for request {requests}: {pilot}.",
    ),
    "pilot.duty": (
        "{pilot} dépasserait son service maximal (avec la demande {requests}).",
        "{pilot} zou de maximale dienst overschrijden (met aanvraag {requests}).",
        "{pilot} would exceed the longest duty (with request {requests}).",
    ),
    "pilot.rest": (
        "{pilot} n'aurait pas son repos minimal (à cause de la demande {requests}).",
        "{pilot} zou de minimale rust niet krijgen (door aanvraag {requests}).",
        "{pilot} would miss the minimum rest (because of request {requests}).",
    ),
    "pilot.busy_worked": (
        "{pilot} est en mission jusqu'au {until}.",
        "{pilot} is op opdracht tot {until}.",
        "{pilot} is on a task until {until}.",
    ),
    "pilot.duty_worked": (
        "{pilot} dépasserait son service maximal, commencé avec la mission finissant le {until}.",
        "{pilot} zou de maximale dienst overschrijden, na de opdracht tot {until}.",
        "{pilot} would exceed the longest duty after the task that ends at {until}.",
    ),
    "pilot.rest_worked": (
        "{pilot} doit se reposer après la mission finissant le {until}.",
        "{pilot} moet rusten na de opdracht tot {until}.",
        "{pilot} must rest after the task that ends at {until}.",
    ),
    "packs.short": (
        "Batteries {type} chargées : {free}, nécessaires : {needed}.",
        "Geladen batterijen {type}: {free}, nodig: {needed}.",
        "Charged {type} batteries: {free}, needed: {needed}.",
    ),
    "drone.capable": (
        "{drone} offre ce qu'il faut ({capability}) ; drones qui le peuvent : {able} sur {fleet}.",
        "{drone} biedt wat nodig is ({capability}); drones die dit kunnen: {able} van de {fleet}.",
        "{drone} offers what is needed ({capability}); drones that can: {able} of {fleet}.",
    ),
    "drone.kept": (
        "{drone} était déjà prévu et le reste.",
        "{drone} was al gepland en blijft dat.",
        "{drone} was already planned and stays so.",
    ),
    "drone.only_able": (
        "{drone} est le seul drone qui le peut.",
        "{drone} is de enige drone die dit kan.",
        "{drone} is the only drone that can do it.",
    ),
    "drone.only_free": (
        "{drone} est le seul drone apte encore libre ; engagés : {busy}.",
        "{drone} is de enige geschikte drone die nog vrij is; ingezet: {busy}.",
        "{drone} is the only able drone still free; out: {busy}.",
    ),
    "drone.nearest": (
        "{drone} a le trajet le plus court ({minutes} aller et retour).",
        "{drone} heeft de kortste rit ({minutes} heen en terug).",
        "{drone} has the shortest drive ({minutes} there and back).",
    ),
    "pilot.qualified": (
        "{pilot} a le certificat {credential}, valable jusqu'au {until}.",
        "{pilot} heeft het bewijs {credential}, geldig tot {until}.",
        "{pilot} holds the credential {credential}, valid until {until}.",
    ),
    "pilot.kept": (
        "{pilot} était déjà prévu et le reste.",
        "{pilot} was al gepland en blijft dat.",
        "{pilot} was already planned and stays so.",
    ),
    "pilot.only_free": (
        "Aucun autre pilote apte n'est libre que {pilot}.",
        "Geen andere geschikte piloot is vrij dan {pilot}.",
        "No other fit pilot is free than {pilot}.",
    ),
    "pilot.balanced": (
        "{pilot} est apte et libre (sorties dans ce plan : {sorties} ; autres pilotes : {others}).",
        "{pilot} is geschikt en vrij (inzetten in dit plan: {sorties}; andere piloten: {others}).",
        "{pilot} is fit and free (sorties in this plan: {sorties}; other pilots: {others}).",
    ),
    "slot.wanted": (
        "Début souhaité tenu ({start}) ; départ {depart} ; batteries : {packs}.",
        "Gewenste start gehaald ({start}); vertrek {depart}; batterijen: {packs}.",
        "The wanted start is kept ({start}); departure {depart}; batteries: {packs}.",
    ),
    "slot.moved": (
        "Début le {start} au lieu du {wanted} ; départ {depart} ; batteries : {packs}.",
        "Start {start} in plaats van {wanted}; vertrek {depart}; batterijen: {packs}.",
        "Start {start} instead of {wanted}; departure {depart}; batteries: {packs}.",
    ),
    "slot.late": (
        "L'équipe arrive {minutes} après l'objectif.",
        "De ploeg komt {minutes} na de doeltijd.",
        "The crew arrives {minutes} after the target.",
    ),
    "not_in_plan": (
        "La demande n'a pas encore été planifiée.",
        "De aanvraag is nog niet gepland.",
        "The request has not been planned yet.",
    ),
    "search.stopped": (
        "Une place existe, mais la recherche s'est arrêtée avant ({status}) ; relancez le plan.",
        "Er is plaats, maar de zoektocht stopte eerder ({status}); plan opnieuw.",
        "There is a place, but the search stopped before it ({status}); plan again.",
    ),
    "no.drones": (
        "La flotte n'a aucun drone en service.",
        "De vloot heeft geen drone in dienst.",
        "The fleet has no drone in service.",
    ),
    "no.pilots": (
        "L'équipe n'a aucun pilote actif.",
        "Het team heeft geen actieve piloot.",
        "The team has no active pilot.",
    ),
    "no.capability": (
        "Aucun drone de la flotte n'offre tout ceci : {capability}.",
        "Geen enkele drone biedt dit alles: {capability}.",
        "No drone of the fleet offers all of this: {capability}.",
    ),
    "no.credential": (
        "Aucun pilote n'a tous les certificats requis : {credential}.",
        "Geen piloot heeft alle vereiste bewijzen: {credential}.",
        "No pilot holds all required credentials: {credential}.",
    ),
    "too_late": (
        "Une équipe appelée maintenant ne peut commencer que le {earliest}.",
        "Een ploeg die nu wordt opgeroepen, kan pas op {earliest} beginnen.",
        "A crew called now can begin at {earliest} at the earliest.",
    ),
    "all.drones": (
        "Tous les drones aptes sont pris ({count}) ; demandes : {requests}.",
        "Alle geschikte drones zijn bezet ({count}); aanvragen: {requests}.",
        "All able drones are taken ({count}); requests: {requests}.",
    ),
    "all.pilots": (
        "Pas assez de pilotes aptes et libres ({count} empêchés) ; demandes : {requests}.",
        "Te weinig geschikte vrije piloten ({count} verhinderd); aanvragen: {requests}.",
        "Too few fit and free pilots ({count} prevented); requests: {requests}.",
    ),
    "all.packs": (
        "Pas assez de batteries chargées ; demandes : {requests} ({count}).",
        "Te weinig geladen batterijen; aanvragen: {requests} ({count}).",
        "Too few charged batteries; requests: {requests} ({count}).",
    ),
    "if.later": (
        "À partir du {start} : oui.",
        "Vanaf {start}: ja.",
        "From {start}: yes.",
    ),
    "if.displaced": (
        "Possible à la place de la demande {request} ({priority}) ; équité {fairness_before} → "
        "{fairness_after}.",
        "Mogelijk in plaats van aanvraag {request} ({priority}); billijkheid {fairness_before} → "
        "{fairness_after}.",
        "Possible in place of request {request} ({priority}); fairness {fairness_before} → "
        "{fairness_after}.",
    ),
    "if.more_together": (
        "Il faudrait à la fois davantage de : {resources}.",
        "Er zou tegelijk meer nodig zijn van: {resources}.",
        "It would take more of each of these at once: {resources}.",
    ),
    "if.more_drones": (
        "Possible avec un drone apte de plus.",
        "Mogelijk met één geschikte drone meer.",
        "Possible with one more able drone.",
    ),
    "if.more_pilots": (
        "Possible avec un pilote apte de plus.",
        "Mogelijk met één geschikte piloot meer.",
        "Possible with one more fit pilot.",
    ),
    "if.more_packs": (
        "Possible avec plus de batteries chargées.",
        "Mogelijk met meer geladen batterijen.",
        "Possible with more charged batteries.",
    ),
    "answer.free": (
        "Un drone et un équipage sont libres à partir du {start}.",
        "Een drone en een ploeg zijn vrij vanaf {start}.",
        "A drone and a crew are free from {start}.",
    ),
    "answer.competes": (
        "Demandes d'urgence égale ou supérieure qui attendent alors une décision : {count}.",
        "Aanvragen met gelijke of hogere dringendheid die dan op een beslissing wachten: {count}.",
        "Requests of equal or higher urgency that await a decision at that time: {count}.",
    ),
    "answer.gives_way": (
        "Possible si une demande moins urgente ({class}) d'une autre zone cède sa place.",
        "Mogelijk als een minder dringende aanvraag ({class}) van een andere zone plaats maakt.",
        "Possible if a less urgent request ({class}) of another zone gives way.",
    ),
    "answer.enough": (
        "D'autres demandes attendent alors une décision ({count}) ; il y a assez pour toutes.",
        "Andere aanvragen wachten dan op een beslissing ({count}); er is genoeg voor allemaal.",
        "Other requests await a decision at that time ({count}); there is enough for all of them.",
    ),
    "light.dark": (
        "Il fait nuit à partir du {from} ; ce genre de tâche se vole de jour.",
        "Het is donker vanaf {from}; dit soort taak wordt bij daglicht gevlogen.",
        "It is dark from {from}; this kind of task is flown in daylight.",
    ),
    "without.other": (
        "Sans {name} : {instead}, dès le {start}.",
        "Zonder {name}: {instead}, vanaf {start}.",
        "Without {name}: {instead}, from {start}.",
    ),
    "without.nobody": (
        "Sans {name}, personne d'autre ne serait libre.",
        "Zonder {name} zou niemand anders vrij zijn.",
        "Without {name} nobody else would be free.",
    ),
    "lost.urgent": (
        "Le drone ou l'équipage est nécessaire ailleurs, pour une demande plus urgente ({class}).",
        "De drone of de ploeg is elders nodig, voor een dringender aanvraag ({class}).",
        "Its drone or crew is needed elsewhere, for a more urgent request ({class}).",
    ),
    "lost.other": (
        "Le coordinateur a donné le drone ou l'équipage à une autre demande ({class}).",
        "De coördinator gaf de drone of de ploeg aan een andere aanvraag ({class}).",
        "The coordinator gave its drone or crew to another request ({class}).",
    ),
    "lost.left_out": (
        "Le coordinateur a publié un plan sans cette demande.",
        "De coördinator publiceerde een plan zonder deze aanvraag.",
        "The coordinator published a plan without this request.",
    ),
    "supposed.placed": (
        "Placée ici par le coordinateur.",
        "Hier geplaatst door de coördinator.",
        "Put here by the coordinator.",
    ),
    "pin.crew": (
        "La tâche prend un équipage de {crew} ; {given} nommés.",
        "De taak vraagt een ploeg van {crew}; genoemd: {given}.",
        "The task takes a crew of {crew}; {given} named.",
    ),
    "pin.window": (
        "La tâche doit tenir dans la fenêtre demandée, du {from} au {until}.",
        "De taak moet binnen het gevraagde tijdvak passen, van {from} tot {until}.",
        "The task must lie within the window asked for, {from} to {until}.",
    ),
    "supposed.left_out": (
        "La supposition laisse cette demande de côté.",
        "De veronderstelling laat deze aanvraag weg.",
        "The supposition leaves this request out.",
    ),
    "entitlement.exceeded": (
        "La zone a utilisé sa part ({used_h} h sur {entitled_h} h) ; une zone qui a des heures en "
        "trop peut en prêter.",
        "De zone heeft haar deel gebruikt ({used_h} u van {entitled_h} u); een zone met uren over "
        "kan er uitlenen.",
        "The zone has used its share ({used_h} h of {entitled_h} h); a zone with hours to spare "
        "may lend some.",
    ),
}

WORDS: dict[str, tuple[str, str, str]] = {
    "2147483647": ("supposée", "verondersteld", "supposed"),  # the request that no row bears
    "…": ("(autre zone)", "(andere zone)", "(another zone)"),  # a request that is not the reader's
    "drones": ("drones", "drones", "drones"),
    "pilots": ("pilotes", "piloten", "pilots"),
    "packs": ("batteries", "batterijen", "battery packs"),
    "rgb": ("caméra couleur", "kleurencamera", "colour camera"),
    "thermal": ("caméra thermique", "warmtebeeldcamera", "thermal camera"),
    "zoom": ("zoom", "zoom", "zoom"),
    "photogrammetry": ("photogrammétrie", "fotogrammetrie", "photogrammetry"),
    "low_noise": ("faible bruit", "geluidsarm", "low noise"),
    "sensitive": ("missions sensibles", "gevoelige opdrachten", "sensitive assignments"),
    "national": ("national", "nationaal", "national"),
    "feasible": ("temps écoulé", "tijd verstreken", "out of time"),
    "optimal": ("optimal", "optimaal", "optimal"),
}
"""The words behind parameter values that are codes."""
