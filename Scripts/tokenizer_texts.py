"""Texts that tokenizers are compared on: every script and every trap that we know of."""
import random
import unicodedata

ENGLISH = """The quick brown fox jumps over the lazy dog.
I can't believe it's not butter; they've said we'll go, I'd rather not, you're right, I'm sure.
IT'S CAN'T WE'VE YOU'RE I'M HE'LL SHE'D
Don't 'tis 'twas rock'n'roll O'Reilly's dogs' bones 's 't 're 've 'm 'll 'd
'sand 'time 'really 'very 'me 'llama 'dog
it’s won’t they’re “quoted” ‘single’
Hello, world! How are you?
e.g. i.e. U.S.A. Ph.D. 3.14159 -2.5e-10 1,000,000
Visit https://example.com/path?query=1&other=two#fragment or mail someone@example.org.
antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis
A man, a plan, a canal: Panama!
  leading spaces and trailing spaces  
tabs	between	words
ALL CAPS AND camelCase and snake_case and kebab-case and PascalCase
The year 1984, room 101, 42nd street, 7/11, 50%, $19.99, #1, №5
Speculative decoding never changes the output of the target model.
naïve café résumé Zürich Ångström façade jalapeño coöperate
wait... what?! no way!!! (really?) [yes] {maybe} <perhaps>
1st 2nd 3rd 4th 21st 22nd 100th
a b c d e f g h i j k l m n o p q r s t u v w x y z""".split("\n")
KOREAN = """눈치는 다른 사람이 무슨 말을 하려는지 알아채는 것입니다.
안녕하세요, 만나서 반갑습니다!
대한민국의 수도는 서울이다.
추론 속도를 높이기 위해 작은 모델이 다음 토큰을 미리 제안한다.
아버지가방에들어가신다
ㅋㅋㅋㅋ ㅎㅎㅎ ㅠㅠ ㅜㅜ ㄱㄴㄷㄹ ㅏㅑㅓㅕ
漢字와 한글을 섞어 쓴 國漢文混用體 문장
API 서버를 재시작하면 오류 503이 사라집니다.
뷁 쀍 뙗 껣 훿 힣 가 각 갂
제1조 ① 대한민국은 민주공화국이다. ② 대한민국의 주권은 국민에게 있다.
나는 학교에 갔다. 그런데 비가 왔다; 우산이 없었다!
값이 10,000원에서 12,500원으로 올랐습니다(25% 인상).
동해물과 백두산이 마르고 닳도록 하느님이 보우하사 우리나라 만세
이것은 "따옴표" 그리고 ‘작은따옴표’입니다…
오늘 날씨가 정말 좋네요 ^^ 산책하러 갈까요?
2024년 3월 15일 오후 3시 30분
김치찌개 된장찌개 불고기 비빔밥 떡볶이
읽기 쉬운 코드를 작성하는 것이 중요하다
　전각 공백　으로 띄운 글
삼성전자·SK하이닉스 ▲ 3.2% ▼ 1.5% ※ 참고""".split("\n")
JAPANESE = """吾輩は猫である。名前はまだ無い。
東京都に住んでいます。よろしくお願いします！
カタカナとひらがなと漢字が混ざった文章です。
ﾊﾝｶｸｶﾅ と 全角ＡＢＣ１２３
データベースの接続に失敗しました（エラーコード：５０３）
がぎぐげご ぱぴぷぺぽ ヴァイオリン
「推測デコード」は出力を変えない。
今日は２０２４年３月１５日、金曜日です。""".split("\n")
CHINESE = """今天天气真好，我们去公园散步吧。
人工智能正在改变世界。
機器學習與深度學習有什麼區別？
《红楼梦》是中国古典四大名著之一。
他说：“你好！”然后走了……
２０２４年，价格上涨了３０％。
𠮷野家 𡃁 𪚥 㐀 䶵
龘靐齉爩 鱻麤""".split("\n")
OTHER = """Съешь ещё этих мягких французских булок, да выпей чаю.
Москва — столица России. Население: 13 000 000 человек.
Ёжик, щука, объём, подъезд; І, Ї, Є, Ґ
مرحبا بالعالم! كيف حالك اليوم؟
اللغة العربية جميلة جدًّا، وَلَكِنَّهَا صَعْبَةٌ.
الأرقام: ١٢٣٤٥٦٧٨٩٠ و ۱۲۳۴
नमस्ते दुनिया! आप कैसे हैं?
हिन्दी में क्षत्रिय, ज्ञान और श्रृंखला लिखना १२३
क़ख़ग़ज़ड़ढ़फ़य़
สวัสดีชาวโลก วันนี้อากาศดีมาก ๑๒๓
ภาษาไทยไม่มีการเว้นวรรคระหว่างคำ
שלום עולם! מה שלומך היום?
Γειά σου Κόσμε! Τί κάνεις; άέήίόύώ
Xin chào thế giới! Tiếng Việt có nhiều dấu.
Übergrößenträger, Straßenbahnhaltestelle, ÄÖÜ äöü ß ẞ
El niño comió piñas en España. ¿Dónde está? ¡Aquí!
Ça va? L'été, c'est l'œuvre d'un garçon naïf.
İstanbul'da ığdır şçöğü
বাংলা ভাষা ক্ষ জ্ঞ ড়ঢ়য়
தமிழ் மொழி கொ கோ கௌ
ಕನ್ನಡ ಭಾಷೆ ಕೊ ಕೋ
മലയാളം ഭാഷ കൊ കോ
ᚠᚢᚦᚨᚱᚲ ᏣᎳᎩ ᠮᠣᠩᠭᠣᠯ
ქართული ენა Հայերեն
አማርኛ ភាសាខ្មែរ မြန်မာဘာသာ
𝕳𝖊𝖑𝖑𝖔 𝟙𝟚𝟛 ℵ₀ ½ ¾ Ⅻ ² ³ ¹ ⑩ ㊙
ﬁ ﬂ ﬀ ſ ẛ Å K Ω
x² + y² = z² ∑ ∫ ∂ √ ∞ ≤ ≥ ≠ ± × ÷ → ⇒ ∀ ∃
lsℹ️ 'ſ'S 'K 'ſoon""".split("\n")
CODE = [
    "def fibonacci(n):\n    if n < 2:\n        return n\n    return fibonacci(n - 1) + fibonacci(n - 2)\n",
    "for (int i = 0; i < 10; ++i) {\n\tprintf(\"%d\\n\", i);\n}\n",
    "func main() async throws {\n  let values: [Int32] = [1, 2, 3]\n  print(values.map { $0 * 2 })\n}",
    "SELECT name, COUNT(*) FROM users WHERE age >= 18 GROUP BY name HAVING COUNT(*) > 1;",
    "<!DOCTYPE html>\n<html lang=\"ko\">\n  <body><h1>제목</h1></body>\n</html>",
    "{\"key\": [1, 2.5, null, true], \"nested\": {\"a\": \"b\\u0041\"}}",
    "#include <vector>\r\nint main() {\r\n\treturn 0;\r\n}\r\n",
    "fn main() -> Result<(), Box<dyn Error>> {\n    let x = &mut y?;\n    Ok(())\n}",
    "const f = async (x) => { await g(x ?? 'default'); return `${x}!`; };",
    "#!/bin/bash\nset -euo pipefail\nfor f in *.txt; do echo \"$f\" | tee -a log; done",
    "if x != None and not y:  # 한국어 주석\n\t\tpass\n\n\n\nclass A(B): ...",
    "\\begin{equation}\n  e^{i\\pi} + 1 = 0\n\\end{equation}",
    "a=b+c-d*e/f%g&h|i^j~k!l<<m>>n",
    "/* comment */ // line\n-- sql\n;; lisp (defun f (x) (* x x))",
    "0x1F 0b1010 0o17 1_000_000 1e-9 .5f 10ULL",
    "package main\n\nimport (\n\t\"fmt\"\n)\n\nfunc main() {\n\tfmt.Println(\"안녕\")\n}\n",
    "diff --git a/x b/x\n@@ -1,3 +1,4 @@\n-old\n+new\n unchanged\n",
    "key: value\nlist:\n  - one\n  - two\n    - nested\n",
    "print('it''s'); x = \"say \\\"hi\\\"\"; y = '''triple'''",
    "| a | b |\n|---|---|\n| 1 | 2 |\n",
]
EMOJI = [
    "😀😃😄😁", "👨‍👩‍👧‍👦 family", "👩🏽‍💻 coding", "🏳️‍🌈 🏴‍☠️", "🇰🇷 🇺🇸 🇯🇵", "❤️ ❤ ♥️", "1️⃣2️⃣3️⃣ #️⃣",
    "🤷🏻‍♀️ who knows", "text😀text", " 😀 ", "🫠🫨🩷", "👍🏿👍🏻", "☺︎☺️", "🧑‍🚀🚀✨", "안녕👋하세요🙏",
    "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "(╯°□°)╯︵ ┻━┻", "¯\\_(ツ)_/¯", "ʕ•ᴥ•ʔ", "━━━━━━━━", "█▓▒░", "♔♕♖ ♠♣♥♦",
]
SPACE = [
    "", " ", "  ", "   ", "    ", "a b", "a  b", "a   b", "a    b", " a", "  a", "   a", "a ", "a  ",
    "\n", "\n\n", "\n\n\n", "\n\n\n\n\n", "\r\n", "\r\n\r\n", "\r", "\n\r", "\t", "\t\t", "\t\t\t a",
    " \n", "\n ", " \n ", "  \n  ", "a\nb", "a\n\nb", "a \n b", "a\n  b", "a  \n\n  b", "a\r\n\r\nb",
    "\t a", " \ta", "a\t\tb", "a \t b", "\u00a0", "a\u00a0b", " \u00a0b", "\u3000\u3000字", "a\u2003b",
    "a\u200bb", "\u200b\u200b", "\ufeffBOM", "a\u2028b\u2029c", "a\x85b", "\x1c\x1d\x1e\x1f a", "\x0b\x0c",
    " " * 8 + "x", " " * 16 + "x", " " * 31 + "x", " " * 32 + "x", " " * 33, " " * 40 + "y", " " * 70,
    "\n" * 8 + "x", "\n" * 31, "\n" * 40, "\t" * 31, "\t" * 35 + "z", "a" + " " * 15 + "b" + " " * 7,
    "word \n\n\n word", "x\n \n \ny", "...\n\n", "!!!\r\n?", "end. \n", "\u1680a\u202fb\u205fc",
    "\u2581", "\u2581\u2581", "a\u2581b", "\u2581 \u2581a", "  \u2581  ", ">\u2581</", "> </", "a> </b", "<p> </p>",
]
DIGITS = [
    "0", "12", "123", "1234", "12345", "123456789", " 1", " 12", " 123", "  1234", "a1b2c3", "1a", "12ab34",
    "1.5", "3,000", "2024-03-15", "12:34:56", "+82-10-1234-5678", "１２３", "²³", "½¼", "Ⅷ", "٣٤٥", "१२३",
    "1 2  3   4", "v2.0.1", "0.1+0.2=0.30000000000000004", "7 ", "7  ", "7\n8", "①②③", "九十九", "x9 9x", "一1二2",
]
CONTROL = [
    "\x00", "a\x00b", "\x01\x02\x03", "\x7f", "\x1b[31mred\x1b[0m", "bell\x07", "\u200e\u200f", "\u202eabc",
    "\ufffd", "\ufffe", "\U0010ffff", "\ue000", "a\u0301", "e\u0301\u0302", "\u0301", " \u0301a", "\u0345x",
]
SPECIAL = [
    "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n", "<|endoftext|>", "a<|endoftext|>b",
    "<|im_start|>", "<|im_end|>\n", " <|im_end|> ", "<|im_end", "<|im_end|", "<|<|im_end|>|>",
    "<start_of_turn>user\n안녕<end_of_turn>\n<start_of_turn>model\n", "<bos><eos>", "<pad><unk><mask>",
    "<table><tr><td>x</td></tr></table>", "<h1>제목</h1>", "</s><s>", "[multimodal]", "<unused0><unused99>",
    "<tool_call>\n{\"name\": \"f\"}\n</tool_call>", "<|fim_prefix|>def f():<|fim_suffix|>pass<|fim_middle|>",
    "<repo_name>x<file_sep>y", "<jupyter_code>1+1<jupyter_output>2<empty_output>", "<|begin_of_text|>hi<|eot_id|>",
    "<|eot_id|><|eot_id|>", "[INST] hi [/INST]", "<0x0A>", "<0xFF><0x00>", "[PAD151665]", "<|vision_start|><|vision_end|>",
    "<s>a</s>", "<strong>b</strong>", "<start_of_image><end_of_image>", "<unk>", "x</div> y",
]
WORDS = [
    "a" * 100, "ab" * 60, "aaaa", "aaaaaaa", "가" * 50, "!" * 70, "-" * 33, "=" * 80, "._" * 30, "ha" * 37,
    "x" * 47, "x" * 48, "x" * 49, "x" * 50, "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "ㅋ" * 55, "テ" * 30, "的" * 60, "0" * 50, "abc" * 25 + "def", "😀" * 20, "e\u0301" * 20, "nnnnnnnnn ooooo",
    "thethethethethethethethethethethethethethethethethethethethe", "zzzzzzzzzzzzzzzzzzz",
]


def decomposed():
    sources = KOREAN[:6] + OTHER[17:20] + ["각낡닭 값", "한글 자모 분리 테스트", "Å é ñ ü ệ"]
    return [unicodedata.normalize("NFD", text) for text in sources] + [
        "\u1112\u1161\u11ab", "\u1100\u1161", "\u1100", "\u1161\u11ab", "가\u11a8", "\uac00\u11a7", "\u115f\u1160",
        "\u212b\u2126\u212a", "\u0958\u0959", "\uf900\uf901", "\u0f73\u0f75", "q\u0307\u0323", "q\u0323\u0307",
        "e\u0301 ｶﾞ \u304b\u3099", "\ufb1d\ufb2a", "\u1e9b\u0323", "a\u0315\u0300\u05ae\u0062", "\U0001d15e \U0002f800",
        "\u09c7\u09be \u0bc6\u0bbe \u0d46\u0d3e", "\u2329x\u232a", "\u0374\u037e\u0387",
    ]


def mixtures(count=40):
    """Random pieces of all of the above, the same every time."""
    random.seed(20240315)
    pool = ENGLISH + KOREAN + JAPANESE + CHINESE + OTHER + CODE + EMOJI + SPACE + DIGITS + SPECIAL
    result = []
    for _ in range(count):
        parts = []
        for _ in range(random.randint(2, 5)):
            text = random.choice(pool)
            start = random.randrange(len(text) + 1)
            parts.append(text[start:start + random.randint(1, 14)])
        result.append(random.choice(["", " ", "\n"]).join(parts))
    return result


TEXTS = (
    ENGLISH + KOREAN + JAPANESE + CHINESE + OTHER + CODE + EMOJI + SPACE + DIGITS + CONTROL + SPECIAL + WORDS
    + decomposed() + mixtures())

BROKEN = [
    b"\xff", b"\xfe\xff", b"\x80", b"\x80\x80", b"a\xffb", b"\xc3", b"\xc3(", b"\xe2\x82", b"\xe2\x82a",
    b"\xe2\x28\xa1", b"\xf0\x9f\x98", b"\xf0\x9f\x98 hi", b"\xf0\x28\x8c\xbc", b"\xc0\x80", b"\xe0\x80\x80",
    b"\xed\xa0\x80", b"\xed\xa0\xbd\xed\xb8\x80", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80",
    b"\xea\xb0", b"\xea\xb0\x80\xea", "안녕".encode()[:-1], "안녕".encode()[1:], b"ok \xed\x95\x9c\xea\xb8 end",
    b"\xff" * 9, b"\x00\xff\x00", b" \xc2 \xa0 ", b"<|im_end|>\xff<|im_end|>", b"\xf1\x80\x80\xc3\xa9", b"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41",
]
