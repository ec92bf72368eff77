"""Words for the generated notes. Names of people and places are common ones of many languages.

Half of the people's names are composed from syllables instead (generate.py), so that a tagger learns
where a name stands rather than which names there are.
"""

from __future__ import annotations


def words(text: str) -> tuple[str, ...]:
    """What stands between blanks."""
    return tuple(text.split())


def phrases(text: str) -> tuple[str, ...]:
    """What stands between semicolons."""
    return tuple(part.strip() for part in text.replace("\n", " ").split(";") if part.strip())


GIVEN = words("""
James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara Richard Susan
Joseph Jessica Thomas Sarah Charles Karen Daniel Lisa Matthew Nancy Anthony Betty Mark Sandra Paul Ashley
Steven Emily Andrew Donna Kenneth Michelle Joshua Carol Kevin Amanda Brian Dorothy George Melissa Aisha
Fatima Mohammed Omar Yusuf Layla Hassan Zainab Wei Ming Jing Hui Hiroshi Yuki Keiko Sora Minjun Jiwoo
Priya Rahul Ananya Arjun Deepa Vikram Sunita Olga Dmitri Svetlana Ivan Katarzyna Piotr Agnieszka Jan
Ingrid Lars Astrid Sven Freya Pierre Chloé Luc Margaux José María Lucía Diego Camila Mateo Valentina João
Beatriz Thiago Giulia Marco Chiara Luca Sofia Nikos Eleni Mehmet Elif Amara Chidi Ngozi Kwame Abena
Tendai Thandiwe Leilani Kai Grace Hope Faith Will May June April Rose Ivy Violet Dale Glen Art Bill Mark
Rich Frank Pat Drew Chase Hunter
""")

SURNAMES = words("""
Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez Gonzalez Wilson
Anderson Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris Sanchez Clark Ramirez Lewis
Robinson Walker Young Allen King Wright Scott Torres Nguyen Hill Flores Green Adams Nelson Baker Hall
Rivera Campbell Mitchell Carter Roberts Okafor Adeyemi Mensah Ndlovu Diallo Traoré Haile Kim Park Choi
Chen Wang Li Zhang Liu Tanaka Suzuki Sato Yamamoto Patel Sharma Singh Gupta Iyer Khan Ahmed Hussein
Rahman Ivanova Petrov Kowalski Nowak Wiśniewska Novák Horváth Müller Schmidt Fischer Weber Jansen
De-Vries Bakker Hansen Johansson Lindqvist Nielsen Korhonen Dubois Laurent Moreau Rossi Bianchi Ferrari
Silva Santos Oliveira Papadopoulos Yilmaz Demir O'Brien O'Connor MacDonald McCarthy Fitzgerald
Van-der-Berg Black Stone Rivers Woods Day Long Short Cross Price Love Bishop Fields Pierce Lamb Hardy
Best Strong Winter Summers Holiday Snow Frost Bloom
""")

SYLLABLES = words("""
ab ad al an ar bal bar bel ben bor bra cal can car cor dal dan del den dor ed el en er fal fan fen gar
gel gor hal han har hel hol in ka kal kar ken kor la lan lar len lo mal man mar mel mor na nel nor ol on
or pal par pel per ra ran rel ro sal san sel ser sol ta tal tan tel ten tor ul un va val van vel ver vor
wen wil yar
""")

ENDINGS = words(
    "son sen man ton ley ski ov ova ez es i a o e er en in is us as ard berg feld wood well ham by ak uk"
)

EPONYM_SURNAMES = words(
    "Parkinson Crohn Graves Addison Cushing Bell Wilson Paget Foley Romberg Murphy Marshall"
)
EPONYM_GIVEN = words("Hodgkin Parkinson Allen Graham Gordon Douglas Bruce Babs")

EPONYMS = phrases("""
Parkinson disease; Parkinson's disease; Crohn's disease; Alzheimer's disease; Hodgkin lymphoma; Graves'
disease; Addison's disease; Cushing syndrome; Bell's palsy; Raynaud phenomenon; Sjögren syndrome;
Hashimoto's thyroiditis; Barrett's esophagus; Wilson's disease; Paget's disease; Marfan syndrome; Down
syndrome; Turner syndrome; Guillain-Barré syndrome; Huntington's disease; Meniere's disease; Takotsubo
cardiomyopathy; Dupuytren contracture; Charcot foot; Ewing sarcoma; Wegener's granulomatosis; Kawasaki
disease; Korsakoff syndrome; Baker's cyst
""")

EPONYM_SIGNS = phrases("""
Babinski sign; Romberg test; Murphy's sign; Kernig sign; Brudzinski sign; McBurney point tenderness;
Homans sign; Phalen test; Tinel sign; Lachman test; Chvostek sign; Rovsing sign; Hoffmann reflex;
Trendelenburg sign
""")

DEVICES = phrases("""
Foley catheter; Swan-Ganz catheter; Hickman line; Holter monitor; Jackson-Pratt drain; Penrose drain;
Kirschner wire; Yankauer suction; Venturi mask; Hemovac; PICC line; Salem sump; Dobhoff tube; Bovie
cautery; Port-a-Cath; Doppler
""")

SCORES = phrases("""
Glasgow Coma Scale; Apgar score; Wells score; Child-Pugh score; Ranson score; Braden scale; Morse fall
score; Killip class; Hunt-Hess grade; Barthel index; Karnofsky; NEWS2; SOFA; CHA2DS2-VASc; Gleason;
CURB-65; Bishop score
""")

DRUGS = words("""
metoprolol lisinopril atorvastatin metformin furosemide warfarin apixaban heparin aspirin clopidogrel
amlodipine losartan omeprazole pantoprazole levothyroxine prednisone albuterol tiotropium amoxicillin
ceftriaxone vancomycin azithromycin doxycycline gabapentin sertraline escitalopram mirtazapine quetiapine
haloperidol lorazepam morphine oxycodone paracetamol ibuprofen ondansetron Lasix Lantus Zosyn Lipitor
Xarelto Eliquis Plavix Norvasc Coumadin Keppra Ativan Haldol Tylenol Percocet Humalog Synthroid Zofran
Bactrim Protonix Januvia Ozempic Entresto
""")

CONDITIONS = phrases("""
congestive heart failure; community-acquired pneumonia; type 2 diabetes mellitus; hypertension; atrial
fibrillation; COPD exacerbation; acute kidney injury; urinary tract infection; sepsis; hip fracture;
ischemic stroke; anemia; upper gastrointestinal bleeding; deep vein thrombosis; pulmonary embolism;
cellulitis; asthma; hypothyroidism; cirrhosis; colon cancer; breast cancer; osteoarthritis; depression;
delirium; acute pancreatitis; cholecystitis; non-ST-elevation myocardial infarction; end-stage renal
disease; hyponatremia; migraine; gout; epilepsy
""")

SYMPTOMS = phrases("""
chest pain; shortness of breath; fever; cough; dizziness; abdominal pain; nausea; vomiting; headache;
back pain; leg swelling; palpitations; fatigue; weight loss; blurred vision; confusion; rash; diarrhea;
night sweats; falls
""")

STATES = phrases(
    "comfortable; restless; asleep; afebrile; in pain; confused; hemodynamically stable; on 2 L of oxygen"
)

PROCEDURES = phrases("""
appendectomy; cholecystectomy; total knee replacement; coronary artery bypass grafting; cataract surgery;
Whipple procedure; Hartmann procedure; hysterectomy; Nissen fundoplication; Bentall procedure;
tonsillectomy; colonoscopy; Roux-en-Y gastric bypass; Mohs surgery; Billroth II; lumbar puncture; Fontan
procedure; inguinal hernia repair
""")

ORGANISMS = phrases(
    "E. coli; Klebsiella pneumoniae; S. aureus; Pseudomonas; Enterococcus; C. difficile; Candida"
)

LABS = phrases("""
sodium; potassium; creatinine; hemoglobin; WBC; platelets; lactate; troponin; BNP; glucose; HbA1c; TSH;
INR; CRP; albumin; bilirubin; ALT; AST; magnesium; calcium; ferritin; vitamin D; D-dimer; procalcitonin
""")

LAB_UNITS = words("mmol/L mg/dL g/dL mEq/L ng/mL pg/mL U/L % x10^9/L")
FREQUENCIES = phrases(
    "daily; twice daily; BID; TID; q6h; q8h PRN; at bedtime; qHS; weekly; every other day; PO; IV; nightly"
)
ROMAN = words("I II III IV IIIa IIb")
WEEKDAYS = words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")

CITIES = phrases("""
Springfield; Riverside; Oakland; Portland; Boston; Chicago; Houston; Denver; Atlanta; Seattle; Leeds;
Manchester; Bristol; Glasgow; Cardiff; Dublin; Lyon; Toulouse; Hamburg; Munich; Utrecht; Antwerp; Porto;
Sevilla; Bologna; Kraków; Brno; Uppsala; Bergen; Tampere; Toronto; Calgary; Perth; Auckland; Nairobi;
Lagos; Accra; Pune; Lahore; Osaka; Busan
""")

STREET_NAMES = words("""
Oak Maple Cedar Elm Pine Washington Lincoln Church Main Park Lake Hill Mill Station Victoria Queen King
Bridge Orchard Meadow Sunset Highland Franklin Jefferson Chestnut Walnut Spruce Willow Birch Harbour
""")
STREET_KINDS = words(
    "Street St Avenue Ave Road Rd Lane Drive Dr Court Place Boulevard Blvd Way Terrace Crescent"
)

HOSPITAL_FIRST = phrases("""
St. Mary's; Mercy; Riverside; Lakeview; Good Samaritan; Sacred Heart; St. Jude; Northside; Mount Carmel;
Hillcrest; Providence; Queen Alexandra; Royal Alfred; Holy Cross; Valley View; St Thomas; Bethesda;
Trinity; Fairview; Summit
""")
HOSPITAL_KINDS = phrases("""
Hospital; General Hospital; Medical Center; Regional Medical Center; Community Hospital; University
Hospital; Infirmary; Memorial Hospital; Children's Hospital
""")
CLINIC_KINDS = phrases(
    "Family Practice; Clinic; Health Centre; Medical Group; Cardiology Associates; Surgery; Dialysis Center"
)
EMPLOYER_KINDS = phrases(
    "Logistics; Foods; School; Pharmacy; Steel; Farms; & Sons; Manor; House; Engineering; Stores; Ltd; Inc"
)
