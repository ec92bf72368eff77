"""Words for sentences that are no notes: names, places and organisations of many countries, as lists.

The generated notes keep the lexicon of models_zoo/clinical/deid, which their test part is made from.
"""

from __future__ import annotations

from models_zoo.clinical.deid.lexicon import phrases, words

GIVEN = words("""
Åsa Anders Björn Gunnhild Sigríður Þór Kjell Solveig Aino Väinö Tuomas Kaarina Mette Søren Jytte Rasmus Maarten Femke
Joost Sanne Bram Liesbeth Jürgen Heike Günther Anneliese Uwe Monika Klaus Reinhild Urs Beat Aurélie Thierry Océane
Benoît Maëlle Gaspard Solange Hervé Concetta Gennaro Fiorella Ettore Ilaria Renzo Jesús Pilar Iñaki Begoña Rocío
Álvaro Ximena Leandro Gonçalo Inês Rui Conceição Otávio Luana Dragan Milica Zoran Vesna Tomislav Jasna Aleš Božena
Radek Jitka Štěpán Zdeněk Ľubica Matej Zsófia Gergely Ildikó Béla Mihai Ioana Răzvan Violeta Bogdan Desislava Plamen
Yiannis Despina Stavros Vasiliki Taras Oksana Lyudmila Arkady Galina Nodar Tamar Aram Anahit Emre Zeynep Cem Gülşen
Parisa Behrouz Shirin Farhad Karim Nadia Tariq Salma Rachid Houda Bilal Yasmin Avi Tzipora Moshe Rivka Shlomo Noa Kofi
Akosua Ifeoma Babajide Wanjiru Kipchoge Sipho Nomvula Tariro Mbali Selam Tesfaye Aminata Moussa Fatou Ousmane Harish
Lakshmi Sanjay Kavita Nithya Murugan Gurpreet Harjit Nusrat Imran Thi Linh Duc Huong Somchai Siriporn Putri Agus Nurul
Maricel Jomar Xiuying Jianguo Lili Haoran Mei-Ling Takeshi Haruka Kenji Akiko Seung-hoon Eun-ji Aroha Tane Malia Keoni
Siobhán Niamh Cillian Gráinne Rhys Angharad Ewan Catriona Hamish Tyrone Latoya Shanice DeShawn Brianna Tyler Madison
Cody Mackenzie Brooke Austin Savannah Dakota Paige Joy Iris Olive Mercy Christian Victor Earl Rex Jack Harry Bob Sue
Jo Ed Al Tim Tom Kim Sam Alex
""")

SURNAMES = words("""
Abernathy Ashworth Baptiste Beauchamp Blackwood Bradshaw Castellanos Chamberlain Crawford Cunningham Delacroix
Donnelly Drummond Ellsworth Fairbanks Gallagher Goldberg Greenberg Hathaway Hawthorne Huang Hutchinson Iverson
Jefferson Kessler Levine Lombardi Lockhart Macpherson McGregor McAllister Montgomery Morgenstern Nakamura O'Sullivan
Oppenheimer Pemberton Quigley Rosenthal Rothschild Saunders Sinclair Stanhope Sutherland Thackeray Underwood
Vandenberg Whitaker Whitfield Winthrop Zimmerman Åkesson Bengtsson Bjørnstad Grønlund Guðmundsdóttir Þorsteinsson
Hämäläinen Mäkinen Kristoffersen Mortensen Østergaard Hoogland Vermeulen Dijkstra Wouters Claes Baumgartner Hofmann
Köhler Schröder Zügel Wyss Gagnon Lefèvre Charpentier Rousselle Bouchard Esposito D'Angelo Fumagalli Marchetti Zanetti
Ibáñez Núñez Zúñiga Urrutia Etxeberria Cárdenas Figueroa Quispe Mamani Alcântara Guimarães Magalhães Teixeira
Kovačević Jurić Marković Đorđević Zupančič Novotný Dvořáková Procházka Sedláček Wójcik Zieliński Szczepańska Nagy
Szabó Kertész Ionescu Popescu Dimitrova Georgiev Konstantinidis Theodorou Shevchenko Kovalenko Smirnova Volkov Fedorov
Gelashvili Petrosyan Kaya Öztürk Çelik Hosseini Tehrani Al-Masri Haddad Khoury Ben-David Mizrahi Bensalem El-Amrani
Osei Asante Boateng Eze Nwosu Balogun Kamau Otieno Mutasa Moyo Dlamini Khumalo Tekle Gebre Cissé Ndiaye Chaudhary
Banerjee Mukherjee Krishnan Subramaniam Dhillon Siddiqui Perera Jayawardena Tran Pham Hoang Suwan Wibowo Siregar
Dela-Cruz Bautista Ocampo Zhao Xu Lin Wong Fujimoto Kobayashi Hayashi Kang Yoon Tui Kahananui Ngata Baker Cook Mason
Cooper Potter Carpenter Page Love Hope Rose Major Noble Power Case Wise Gray Rich Banks Fox Wolf Bird Fish Field Lane
Street
""")

COINED_FIRST = words("""
Open Data Web Cloud Green Blue Health Med Care Smart Trade Food Geo Bio Solar Planet Road Street City Click Book Job
Home Land Law Score Credit Flight Farm Stream Bright Clear True Next First Inter Uni Micro Macro Net Tele Trans Ever
Gold Iron Stone River Rapid Vital Zen Pixel Quick
""")
COINED_LAST = words("""
metrics works labs base hub ware soft genie path trust scope link stat sense logic wise ly ify io ster view point
source line box wave flow mind space graph watch gate port fund bridge shift grid cast
""")
TRADE = phrases("""
Solutions; Consulting; Technologies; Systems; Partners; Holdings; Capital; Insurance; Insurance Group; Financial
Services; Analytics; Media; Software; Research; Research Institute; Publishing; Records; Pictures; Airlines; Motors;
Energy; Oil; Power; Pharmaceuticals; Laboratories; Biosciences; Foundation; Trust; Brewery; Bakery; Builders;
Plumbing; Interiors; Electronics; Telecom; Networks; Robotics; Shipping; Van Lines; Real Estate; Properties; Legal;
Advisory; Ratings; Markets; Institute; Studios; Games; Travel; Tours; Hotels
""")
FORM = phrases("""
Inc; Inc.; Incorporated; LLC; Ltd; Ltd.; Limited; plc; PLC; Corp; Corp.; Corporation; Co.; Company; & Co; GmbH; AG;
KG; S.A.; S.p.A.; S.r.l.; B.V.; N.V.; AB; AS; Oy; A/S; Kft.; s.r.o.; d.o.o.; Pty Ltd; K.K.; Group; and Sons; & Sons;
Brothers; & Partners
""")
KNOWN = phrases("""
Google; Microsoft; Apple; Amazon; IBM; Intel; Nokia; Samsung; Sony; Siemens; Bosch; Philips; Toyota; Volvo; BMW; Ford;
Boeing; Airbus; Nestlé; Unilever; IKEA; H&M; Zara; Tesco; Walmart; Costco; Starbucks; McDonald's; PepsiCo; FedEx; DHL;
UPS; Lufthansa; Ryanair; Qantas; HSBC; Barclays; Citibank; Wells Fargo; Deutsche Bank; Santander; ING; UBS; Visa;
PayPal; Deloitte; KPMG; McKinsey; Reuters; BBC; CNN; Netflix; Spotify; Twitter; Facebook; LinkedIn; Uber; Airbnb;
NASA; UNICEF; Unesco; the Red Cross; Greenpeace; Oxfam; Amnesty International; FIFA; Interpol; NATO; Pfizer; Bayer;
Roche; AstraZeneca; Shell; Total; AT&T; Vodafone; Orange; T-Mobile; Axa; Aviva; Prudential
""")
PUBLIC = phrases("""
University of {city}; {city} University; {city} City Council; City of {city}; Bank of {city}; {city} Police
Department; {country} Post; Embassy of {country}; National Bank of {country}; Ministry of Health; Department of
Transport; Ministry of Finance; Home Office; Federal Reserve; Supreme Court; {surname} Foundation; {surname} College;
{surname} Institute
""")
PARTICLES = words(
    "van von de del di da dos ten ter la le zu af bin el al van-der van-de von-der de-la ap St."
)

COUNTRIES = phrases("""
Albania; Argentina; Armenia; Australia; Austria; Bangladesh; Belgium; Bolivia; Brazil; Bulgaria; Cambodia; Cameroon;
Canada; Chile; China; Colombia; Croatia; Cuba; Cyprus; the Czech Republic; Denmark; Ecuador; Egypt; England; Estonia;
Ethiopia; Finland; France; Georgia; Germany; Ghana; Greece; Greenland; Hungary; Iceland; India; Indonesia; Iran; Iraq;
Ireland; Israel; Italy; Jamaica; Japan; Jordan; Kenya; Latvia; Lebanon; Lithuania; Luxembourg; Malaysia; Malta;
Mexico; Morocco; Nepal; the Netherlands; New Zealand; Nigeria; Norway; Pakistan; Panama; Peru; the Philippines;
Poland; Portugal; Romania; Russia; Saudi Arabia; Scotland; Senegal; Serbia; Singapore; Slovakia; Slovenia; South
Africa; South Korea; Spain; Sri Lanka; Sweden; Switzerland; Taiwan; Tanzania; Thailand; Tunisia; Turkey; Uganda;
Ukraine; the United Kingdom; the United States; Uruguay; USA; UK; Venezuela; Vietnam; Wales; Zambia; Zimbabwe
""")
STATES = phrases("""
Alabama; Alaska; Arizona; California; Colorado; Florida; Georgia; Idaho; Indiana; Kansas; Maine; Montana; Nebraska;
Nevada; New Jersey; New Mexico; North Dakota; Ohio; Oregon; Tennessee; Texas; Utah; Vermont; Virginia; Washington;
Wyoming; Ontario; Quebec; Bavaria; Tuscany; Andalusia; Brittany; Catalonia; Queensland; Cornwall; Kent; Yorkshire
""")
STATE_CODES = words(
    "AL AK AZ AR CA CO CT DE FL GA HI IL IN KY LA MA MI MN MO MT NC NJ NV NY OH OK OR PA TX VA WA WI"
)
CITIES = phrases("""
Aarhus; Aberdeen; Adelaide; Ålesund; Amsterdam; Ankara; Arequipa; Austin; Baltimore; Bangkok; Barcelona; Basel;
Belgrade; Bergamo; Berlin; Bogotá; Bordeaux; Braga; Bratislava; Brisbane; Brussels; Bucharest; Budapest; Buenos Aires;
Cairo; Cape Town; Casablanca; Charlotte; Cluj; Cologne; Copenhagen; Córdoba; Dallas; Daugavpils; Debrecen; Delhi;
Dresden; Dunedin; Durban; Edinburgh; Eindhoven; Espoo; Frankfurt am Main; Gdańsk; Geneva; Ghent; Girona; Gothenburg;
Graz; Guadalajara; Haifa; Halifax; Hanoi; Helsinki; Innsbruck; Istanbul; Jakarta; Jönköping; Karachi; Kaunas; Kigali;
Kingston; Kyiv; La Paz; Las Vegas; Lausanne; Leipzig; Lima; Lisbon; Liverpool; Ljubljana; London; Los Angeles; Lviv;
Madrid; Málaga; Malmö; Manila; Maribor; Marrakesh; Marseille; Melbourne; Memphis; Mexico City; Milton Keynes;
Minneapolis; Miskolc; Mombasa; Montréal; Mumbai; Naples; Newcastle upon Tyne; New Orleans; New York; Nicosia; Nuuk;
Odense; Oslo; Ostrava; Oulu; Palermo; Paris; Philadelphia; Phoenix; Plzeň; Poznań; Prague; Puebla; Reykjavík; Riga;
Rio de Janeiro; Rome; Rotterdam; Saint-Étienne; Salzburg; San Diego; San José; São Paulo; Sarajevo; Sheffield;
Shanghai; Sofia; Split; St. Louis; Stavanger; Stockholm; Sydney; Szeged; Tallinn; Tartu; Tbilisi; Thessaloniki; Tokyo;
Trondheim; Tucson; Turin; Turku; Valencia; Valparaíso; Varaždin; Venice; Vienna; Vilnius; Warsaw; Wellington;
Winnipeg; Wuppertal; Zaragoza; Zürich
""")
CITY_ENDINGS = words(
    "ville ton burg stad by holm vik berg dorf hausen heim ovo ice grad pol ura mäki joki nes"
)
CITY_MIDDLE = words("am an der sur del de la di do upon on i nad ved under le by")
CITY_FIRST = words("Santa San Saint Port New East Upper Lower Bad Los Villa Nova El Ciudad")

STREET_FORMS = phrases("""
{n} {name} {kind}; {n} {name} {kind}; {n} {name} {kind}, {unit}; {unit}, {n} {name} {kind}; Flat {m}, {n} {name}
{kind}; {name} {kind} {n}; {name} {kind}; {long}straße {m}; {long}strasse {m}{letter}; {long}weg {m}; {long}gatan {m};
{long}vägen {m} {letter}; {long}vej {n}; {long}gade {m}, {m}. th; {long}katu {m} {letter} {m}; {long}veien {m};
{long}straat {m}; {long}laan {n}; Via {name} {n}; Via {given} {surname} {m}; Piazza {surname} {m}; Corso {name}, {n};
{n} rue de {name}; {m}, rue {surname}; {n} Avenue {surname}; {m} bis, boulevard {surname}; Calle {name} {n}; C/
{name}, {m}, {m}º {letter}; Avenida {surname} {n}; Av. {name} {n}; Plaza de {name} {m}; Rua {name} {n}; R. {surname}
{n}; Travessa {name} {m}; ul. {name}a {m}/{m}; {name}ova {n}/{m}; {name} utca {m}.; {name} tér {m}.; Calea {surname}
{n}; {n} {surname} Marg; {m}-{m}-{m} {long}cho; Strada {name} {m}; Lot {n} {name} {kind}; PO Box {n}; P.O. Box {n};
Box {n}; {n} {name} {kind} {unit}; {n} {surname} {kind}; {surname} {kind} {n} {unit}; {name} Gateway {n}; Unit {n} Box
{n}; PSC {n}, Box {n}; PSC {n}, Box {n}\\nAPO AE {n}; USNS {surname}; USS {surname}; {unit} {n} {name} {kind}; RR {m}
Box {n}; c/o {surname}, {n} {name} {kind}
""")
STREET_NAMES = words("""
Oak Maple Cedar Botley Herceg Garibaldi Mozart Goethe Linden Mühlen Kirch Bahnhof Stations Kungs Skol Björk Lund Storm
Marconi Dante Roma Mayor Alameda Liberdade Flores Carmo Long Krakow Kossuth Petőfi Ady Rákóczi Juan Andrássy Elm Abbey
Castle Market Bridge Harbour Riverside Prospect Forest Grove Rose Regent Albert Nelson Baker Monument College Union
Canal Summit Sycamore Magnolia Juniper Hickory Second Third Fifth 12th 42nd North East Old
""")
STREET_KINDS = words("""
Street St St. Avenue Ave Road Rd Lane Drive Dr Court Place Boulevard Blvd Way Terrace Crescent Close Square Row Walk
Gardens Mews Parkway Highway Trail Path Pass Mill Mills Ridge Hill Grove View Station Junction Crossing Ranch Fields
""")

NATIONS = words("""
American Argentinian Australian Belgian Brazilian British Bulgarian Canadian Chilean Chinese Croatian Czech Danish
Dutch Egyptian English Estonian Ethiopian Finnish French German Ghanaian Greek Hungarian Icelandic Indian Iranian
Iraqi Irish Israeli Italian Japanese Kenyan Korean Lebanese Mexican Moroccan Nigerian Norwegian Pakistani Peruvian
Polish Portuguese Romanian Russian Scottish Serbian Slovenian Spanish Swedish Swiss Syrian Thai Tunisian Turkish
Ukrainian Vietnamese Welsh Catholic Protestant Muslim Jewish Buddhist Hindu Sikh Orthodox Lutheran Republican Democrat
Marxist African Asian European Latino Nordic Greeks Germans Italians Kenyans Canadians Brazilians Swedes Danes Poles
Finns Catholics Muslims Hindus Sunnis Methodists Democrats Republicans socialists conservatives liberals greenlanders
""")
JOBS = phrases("""
accountant; actuary; air traffic controller; architect; Art director; baker; Bank teller; barista; Bus driver;
butcher; carpenter; cashier; chef; Civil engineer; cleaner; Customer service adviser; Data analyst; dentist; Editor;
electrician; Estate agent; Farm manager; firefighter; florist; Forklift driver; gardener; Graphic designer;
hairdresser; head of sales; Human resources officer; interpreter; journalist; judge; lawyer; Lecturer; librarian;
locksmith; machinist; Marketing assistant; mechanic; midwife; musician; nurse; optician; paralegal; pharmacist;
photographer; pilot; plumber; police officer; postman; Product manager; Project manager; psychologist; receptionist;
Research scientist; roofer; sailor; secretary; Security guard; Shop assistant; Social worker; software developer;
Solicitor; surveyor; tailor; Tax adviser; taxi driver; teacher; Technical writer; translator; vet; waiter; Warehouse
worker; web designer; welder; Youth worker
""")
WORKS = phrases("""
The Long Way Home; Winter Light; Blue Afternoon; A Place for Everything; The Silent Garden; Night Train; Paper Boats;
Seven Doors; Half a Moon; No Tomorrow; The Cook and the Clock; Under the Bridge at Dawn; Golden Years; Dance with Me;
Letters I Never Sent; Rain on Sunday; The Last Harvest; Broken Compass; Sugar and Smoke; King of Nothing
""")
EVENTS = phrases("""
Christmas; Easter; Ramadan; Thanksgiving; New Year's Eve; Black Friday; Mother's Day; the World Cup; the Olympics;
Employee of the Month; the Golden Ticket award; Happy Hour; the Spring Sale; Customer Day
""")
