extension PromptWordings {
  /// English, Korean (formal and colloquial), Japanese, Chinese, German, French, Spanish, Russian,
  /// Vietnamese, and tasks about code.
  static let builtIn = #"""
    en:
      names: {en: English, ko: Korean, ja: Japanese, zh: Chinese, de: German, fr: French,
        es: Spanish, ru: Russian, vi: Vietnamese}
      explain:
        - "Explain the following text in simple words.\n\n{text}"
        - "{text}\n\nI don't understand this. Can you explain it to me step by step?"
        - "Here is a passage from a manual about \"{title}\". Explain to a beginner what it \
           means and when it is useful.\n\n{text}"
        - "What does this mean in practice? Give an example.\n\n{text}"
        - "Explain \"{title}\" to somebody who has never used it."
      summarise:
        - "Summarise the following text in two or three sentences.\n\n{text}"
        - "{text}\n\nSummarise this in one sentence."
        - "Write the main points of this text as a short list.\n\n{text}"
        - "tl;dr this for me please:\n\n{text}"
      translateFrom:
        - "Translate the following text into {language}.\n\n{text}"
        - "{text}\n\nWhat is this in {language}?"
        - "Please translate this passage about \"{title}\" into natural {language}:\n\n{text}"
      translateTo:
        - "Translate the following {language} text into English.\n\n{text}"
        - "{text}\n\nI cannot read {language}. What does this say in English?"
      continue:
        - "Continue the following text in the same style.\n\n{text}"
        - "Write the next paragraph of this manual.\n\n{text}"
        - "This text about \"{title}\" breaks off. Carry on from where it stops:\n\n{text}"
      question:
        - "Read the text and answer the question.\n\n{text}\n\nQuestion: What does the text say \
           about \"{title}\"?"
        - "{text}\n\nWrite three questions that this text answers, and answer each of them."
        - "Using only the text below, what can a user do here and how?\n\n{text}"
        - "How do I use \"{title}\"? Give me the steps."
    ko:
      names: {en: 영어, ko: 한국어, ja: 일본어, zh: 중국어, de: 독일어, fr: 프랑스어, es: 스페인어, ru: 러시아어, vi: 베트남어}
      explain:
        - "다음 글을 쉬운 말로 설명해 주십시오.\n\n{text}"
        - "{text}\n\n이게 무슨 말이야? 쉽게 설명해 줘."
        - "다음은 '{title}'에 관한 설명서의 일부입니다. 초보자도 이해할 수 있도록 뜻과 쓰임새를 설명해 주시기 바랍니다.\n\n{text}"
        - "이거 실제로는 어떻게 쓰는 건지 예를 들어서 알려 줄래?\n\n{text}"
        - "'{title}' 기능이 무엇인지 처음 쓰는 사람에게 설명해 주세요."
        - "'{title}' 이게 뭐 하는 기능인지 간단히 알려 줘."
      summarise:
        - "다음 글을 두세 문장으로 요약해 주십시오.\n\n{text}"
        - "{text}\n\n한 문장으로 줄여 줘."
        - "아래 내용의 핵심을 항목별로 정리해 주시겠습니까?\n\n{text}"
        - "이거 너무 긴데 세 줄 요약 좀 해 줘.\n\n{text}"
      translateFrom:
        - "다음 글을 {language}로 번역해 주십시오.\n\n{text}"
        - "{text}\n\n이거 {language}로 옮겨 줘."
        - "'{title}'에 관한 아래 글을 자연스러운 {language}로 번역해 주세요.\n\n{text}"
      translateTo:
        - "다음 {language} 글을 한국어로 번역해 주십시오.\n\n{text}"
        - "{text}\n\n나 {language} 못 읽는데 한국어로 뭐라고 쓰여 있는 거야?"
        - "아래의 {language} 원문을 자연스러운 한국어 존댓말로 옮겨 주세요.\n\n{text}"
      continue:
        - "다음 글에 이어질 내용을 같은 문체로 써 주십시오.\n\n{text}"
        - "이 설명 뒤에 올 문단을 이어서 써 줘.\n\n{text}"
        - "'{title}'에 관한 글이 중간에 끊겼습니다. 끊긴 부분부터 이어서 작성해 주세요.\n\n{text}"
      question:
        - "다음 글을 읽고 질문에 답해 주십시오.\n\n{text}\n\n질문: 이 글은 '{title}'에 대해 무엇을 설명합니까?"
        - "{text}\n\n이 글로 풀 수 있는 질문 세 개를 만들고 답도 같이 적어 줘."
        - "아래 글만 보고 사용자가 무엇을 어떻게 할 수 있는지 알려 주세요.\n\n{text}"
        - "'{title}' 어떻게 써? 순서대로 알려 줘."
    ja:
      names: {en: 英語, ko: 韓国語, ja: 日本語, zh: 中国語, de: ドイツ語, fr: フランス語, es: スペイン語, ru: ロシア語,
        vi: ベトナム語}
      explain:
        - "次の文章をやさしい言葉で説明してください。\n\n{text}"
        - "{text}\n\nこれはどういう意味ですか。順を追って教えてください。"
        - "以下は「{title}」に関するマニュアルの一部です。初心者にもわかるように、意味と使いどころを説明してください。\n\n{text}"
        - "これって実際にはどう使うの？例を挙げて教えて。\n\n{text}"
        - "「{title}」とは何か、使ったことのない人に説明してください。"
      summarise:
        - "次の文章を二、三文で要約してください。\n\n{text}"
        - "{text}\n\n一文でまとめて。"
        - "以下の内容の要点を箇条書きにしてください。\n\n{text}"
      translateFrom:
        - "次の文章を{language}に翻訳してください。\n\n{text}"
        - "{text}\n\nこれを{language}にすると？"
        - "「{title}」に関する次の文章を自然な{language}に訳してください。\n\n{text}"
      translateTo:
        - "次の{language}の文章を日本語に翻訳してください。\n\n{text}"
        - "{text}\n\n{language}が読めません。日本語では何と書いてありますか。"
      continue:
        - "次の文章の続きを同じ文体で書いてください。\n\n{text}"
        - "この説明に続く段落を書いてください。\n\n{text}"
        - "「{title}」についての文章が途中で切れています。続きを書いてください。\n\n{text}"
      question:
        - "文章を読んで質問に答えてください。\n\n{text}\n\n質問：「{title}」について何と書かれていますか。"
        - "{text}\n\nこの文章から答えられる質問を三つ作り、それぞれに答えてください。"
        - "次の文章だけをもとに、利用者が何をどのようにできるか答えてください。\n\n{text}"
        - "「{title}」はどうやって使いますか。手順を教えてください。"
    zh:
      names: {en: 英语, ko: 韩语, ja: 日语, zh: 中文, de: 德语, fr: 法语, es: 西班牙语, ru: 俄语, vi: 越南语}
      explain:
        - "请用简单的话解释下面这段文字。\n\n{text}"
        - "{text}\n\n这是什么意思？请一步一步讲给我听。"
        - "下面是关于“{title}”的一段使用手册。请向初学者说明它的含义和用途。\n\n{text}"
        - "这个在实际中怎么用？举个例子吧。\n\n{text}"
        - "请向从没用过的人解释一下“{title}”是什么。"
      summarise:
        - "请用两三句话概括下面的内容。\n\n{text}"
        - "{text}\n\n用一句话总结。"
        - "把下面文字的要点列成几条。\n\n{text}"
      translateFrom:
        - "请把下面的文字翻译成{language}。\n\n{text}"
        - "{text}\n\n这段话用{language}怎么说？"
        - "请将这段关于“{title}”的文字译成自然流畅的{language}：\n\n{text}"
      translateTo:
        - "请把下面的{language}文字翻译成中文。\n\n{text}"
        - "{text}\n\n我看不懂{language}，这段话用中文是什么意思？"
      continue:
        - "请按同样的文风续写下面的文字。\n\n{text}"
        - "请写出这份说明的下一段。\n\n{text}"
        - "这段关于“{title}”的文字中断了，请接着往下写。\n\n{text}"
      question:
        - "阅读文字并回答问题。\n\n{text}\n\n问题：文中对“{title}”是怎么说的？"
        - "{text}\n\n请根据这段文字提出三个问题，并分别作答。"
        - "只根据下面的文字回答：用户在这里可以做什么，怎么做？\n\n{text}"
        - "怎么使用“{title}”？请给出步骤。"
    de:
      names: {en: Englische, ko: Koreanische, ja: Japanische, zh: Chinesische, de: Deutsche,
        fr: Französische, es: Spanische, ru: Russische, vi: Vietnamesische}
      explain:
        - "Erkläre den folgenden Text mit einfachen Worten.\n\n{text}"
        - "{text}\n\nDas verstehe ich nicht. Kannst du es mir Schritt für Schritt erklären?"
        - "Hier ist ein Abschnitt aus einem Handbuch über „{title}“. Erklären Sie einem \
           Anfänger, was er bedeutet und wann man das braucht.\n\n{text}"
        - "Was heißt das in der Praxis? Nenne ein Beispiel.\n\n{text}"
        - "Erklären Sie jemandem, der noch nie damit gearbeitet hat, was „{title}“ ist."
      summarise:
        - "Fasse den folgenden Text in zwei oder drei Sätzen zusammen.\n\n{text}"
        - "{text}\n\nBitte in einem Satz zusammenfassen."
        - "Schreiben Sie die wichtigsten Punkte dieses Textes als kurze Liste auf.\n\n{text}"
      translateFrom:
        - "Übersetze den folgenden Text ins {language}.\n\n{text}"
        - "{text}\n\nBitte ins {language} übersetzen."
        - "Bitte übertragen Sie diesen Abschnitt über „{title}“ in natürlicher Sprache ins \
           {language}:\n\n{text}"
      translateTo:
        - "Übersetze den folgenden Text ins Deutsche.\n\n{text}"
        - "{text}\n\nIch kann diese Sprache nicht lesen. Was steht da auf Deutsch?"
      continue:
        - "Setze den folgenden Text im gleichen Stil fort.\n\n{text}"
        - "Schreibe den nächsten Absatz dieses Handbuchs.\n\n{text}"
        - "Dieser Text über „{title}“ bricht ab. Schreiben Sie ab dieser Stelle weiter:\n\n{text}"
      question:
        - "Lies den Text und beantworte die Frage.\n\n{text}\n\nFrage: Was sagt der Text über \
           „{title}“?"
        - "{text}\n\nFormuliere drei Fragen, die dieser Text beantwortet, und beantworte sie."
        - "Beantworten Sie nur anhand des folgenden Textes: Was kann man hier tun, und wie?\n\n\
           {text}"
        - "Wie benutze ich „{title}“? Nenne mir die Schritte."
    fr:
      names: {en: anglais, ko: coréen, ja: japonais, zh: chinois, de: allemand, fr: français,
        es: espagnol, ru: russe, vi: vietnamien}
      explain:
        - "Explique le texte suivant avec des mots simples.\n\n{text}"
        - "{text}\n\nJe ne comprends pas. Peux-tu m'expliquer cela pas à pas ?"
        - "Voici un extrait d'un manuel sur « {title} ». Expliquez à un débutant ce que cela \
           veut dire et quand s'en servir.\n\n{text}"
        - "Qu'est-ce que cela veut dire en pratique ? Donne un exemple.\n\n{text}"
        - "Expliquez ce qu'est « {title} » à quelqu'un qui ne l'a jamais utilisé."
      summarise:
        - "Résume le texte suivant en deux ou trois phrases.\n\n{text}"
        - "{text}\n\nRésumez ceci en une seule phrase."
        - "Écris les points essentiels de ce texte sous forme de liste courte.\n\n{text}"
      translateFrom:
        - "Traduis le texte suivant en {language}.\n\n{text}"
        - "{text}\n\nComment dit-on cela en {language} ?"
        - "Veuillez traduire ce passage sur « {title} » en {language} naturel :\n\n{text}"
      translateTo:
        - "Traduis en français le texte {language} suivant.\n\n{text}"
        - "{text}\n\nJe ne lis pas cette langue. Que dit ce texte en français ?"
      continue:
        - "Continue le texte suivant dans le même style.\n\n{text}"
        - "Écrivez le paragraphe suivant de ce manuel.\n\n{text}"
        - "Ce texte sur « {title} » s'interrompt. Reprends là où il s'arrête :\n\n{text}"
      question:
        - "Lis le texte et réponds à la question.\n\n{text}\n\nQuestion : que dit le texte de « \
           {title} » ?"
        - "{text}\n\nÉcris trois questions auxquelles ce texte répond, puis réponds à chacune."
        - "En vous appuyant uniquement sur le texte ci-dessous, dites ce que l'utilisateur peut \
           faire et comment.\n\n{text}"
        - "Comment utiliser « {title} » ? Donne-moi les étapes."
    es:
      names: {en: inglés, ko: coreano, ja: japonés, zh: chino, de: alemán, fr: francés,
        es: español, ru: ruso, vi: vietnamita}
      explain:
        - "Explica el siguiente texto con palabras sencillas.\n\n{text}"
        - "{text}\n\nNo lo entiendo. ¿Me lo puedes explicar paso a paso?"
        - "Este es un fragmento de un manual sobre «{title}». Explique a un principiante qué \
           significa y cuándo resulta útil.\n\n{text}"
        - "¿Qué significa esto en la práctica? Pon un ejemplo.\n\n{text}"
        - "Explique qué es «{title}» a alguien que nunca lo ha usado."
      summarise:
        - "Resume el siguiente texto en dos o tres frases.\n\n{text}"
        - "{text}\n\nResúmelo en una sola frase."
        - "Escriba los puntos principales de este texto en una lista breve.\n\n{text}"
      translateFrom:
        - "Traduce el siguiente texto al {language}.\n\n{text}"
        - "{text}\n\n¿Cómo se dice esto en {language}?"
        - "Por favor, traduzca este pasaje sobre «{title}» a un {language} natural:\n\n{text}"
      translateTo:
        - "Traduce al español el siguiente texto en {language}.\n\n{text}"
        - "{text}\n\nNo sé leer {language}. ¿Qué dice esto en español?"
      continue:
        - "Continúa el siguiente texto con el mismo estilo.\n\n{text}"
        - "Escriba el siguiente párrafo de este manual.\n\n{text}"
        - "Este texto sobre «{title}» se interrumpe. Sigue desde donde se queda:\n\n{text}"
      question:
        - "Lee el texto y responde a la pregunta.\n\n{text}\n\nPregunta: ¿qué dice el texto \
           sobre «{title}»?"
        - "{text}\n\nEscribe tres preguntas que este texto responda y contesta a cada una."
        - "Basándose solo en el texto siguiente, diga qué puede hacer el usuario y cómo.\n\n\
           {text}"
        - "¿Cómo se usa «{title}»? Dame los pasos."
    ru:
      names: {en: английский, ko: корейский, ja: японский, zh: китайский, de: немецкий,
        fr: французский, es: испанский, ru: русский, vi: вьетнамский}
      explain:
        - "Объясни следующий текст простыми словами.\n\n{text}"
        - "{text}\n\nЯ этого не понимаю. Объясни, пожалуйста, по шагам."
        - "Вот отрывок из руководства по теме «{title}». Объясните новичку, что он означает и \
           когда это может пригодиться.\n\n{text}"
        - "Что это значит на практике? Приведи пример.\n\n{text}"
        - "Объясните человеку, который никогда этим не пользовался, что такое «{title}»."
      summarise:
        - "Кратко перескажи следующий текст в двух-трёх предложениях.\n\n{text}"
        - "{text}\n\nСократи это до одного предложения."
        - "Запишите главные мысли этого текста в виде короткого списка.\n\n{text}"
      translateFrom:
        - "Переведи следующий текст на {language} язык.\n\n{text}"
        - "{text}\n\nКак это будет в переводе на {language}?"
        - "Пожалуйста, переведите этот отрывок по теме «{title}» на {language} язык:\n\n{text}"
      translateTo:
        - "Переведи следующий текст на русский язык.\n\n{text}"
        - "{text}\n\nЯ не знаю этого языка. Что здесь написано, если перевести на русский?"
      continue:
        - "Продолжи следующий текст в том же стиле.\n\n{text}"
        - "Напишите следующий абзац этого руководства.\n\n{text}"
        - "Этот текст по теме «{title}» обрывается. Продолжи с того места, где он остановился:\
           \n\n{text}"
      question:
        - "Прочитай текст и ответь на вопрос.\n\n{text}\n\nВопрос: что в тексте говорится по \
           теме «{title}»?"
        - "{text}\n\nПридумай три вопроса, на которые отвечает этот текст, и ответь на каждый."
        - "Опираясь только на приведённый ниже текст, скажите, что и как может сделать \
           пользователь.\n\n{text}"
        - "Как пользоваться «{title}»? Опиши по шагам."
    vi:
      names: {en: tiếng Anh, ko: tiếng Hàn, ja: tiếng Nhật, zh: tiếng Trung, de: tiếng Đức,
        fr: tiếng Pháp, es: tiếng Tây Ban Nha, ru: tiếng Nga, vi: tiếng Việt}
      explain:
        - "Hãy giải thích đoạn văn sau bằng lời lẽ đơn giản.\n\n{text}"
        - "{text}\n\nTôi không hiểu đoạn này. Bạn giải thích từng bước giúp tôi được không?"
        - "Đây là một đoạn trong sách hướng dẫn về “{title}”. Hãy giải thích cho người mới bắt \
           đầu biết nó có nghĩa gì và khi nào thì hữu ích.\n\n{text}"
        - "Trên thực tế điều này nghĩa là gì? Cho một ví dụ đi.\n\n{text}"
        - "Hãy giải thích “{title}” cho người chưa từng dùng."
      summarise:
        - "Hãy tóm tắt đoạn văn sau trong hai hoặc ba câu.\n\n{text}"
        - "{text}\n\nTóm tắt trong một câu thôi."
        - "Hãy viết các ý chính của đoạn văn này thành một danh sách ngắn.\n\n{text}"
      translateFrom:
        - "Hãy dịch đoạn văn sau sang {language}.\n\n{text}"
        - "{text}\n\nĐoạn này nói bằng {language} thế nào?"
        - "Xin hãy dịch đoạn văn về “{title}” này sang {language} một cách tự nhiên:\n\n{text}"
      translateTo:
        - "Hãy dịch đoạn văn {language} sau sang tiếng Việt.\n\n{text}"
        - "{text}\n\nTôi không đọc được {language}. Đoạn này nói gì bằng tiếng Việt?"
      continue:
        - "Hãy viết tiếp đoạn văn sau với cùng văn phong.\n\n{text}"
        - "Hãy viết đoạn tiếp theo của tài liệu hướng dẫn này.\n\n{text}"
        - "Đoạn văn về “{title}” này bị ngắt giữa chừng. Hãy viết tiếp từ chỗ dừng:\n\n{text}"
      question:
        - "Đọc đoạn văn và trả lời câu hỏi.\n\n{text}\n\nCâu hỏi: Đoạn văn nói gì về “{title}”?"
        - "{text}\n\nHãy đặt ba câu hỏi mà đoạn văn này trả lời được, rồi trả lời từng câu."
        - "Chỉ dựa vào đoạn văn dưới đây, hãy cho biết người dùng có thể làm gì và làm như thế \
           nào.\n\n{text}"
        - "Dùng “{title}” như thế nào? Cho tôi các bước."
    code:
      explain:
        - "Explain what this {language} code does.\n\n{code}"
        - "{code}\n\nWalk me through this {language} function line by line."
        - "What are the inputs and outputs of this {language} code, and which edge cases does it \
           handle?\n\n{code}"
      complete:
        - "Complete this {language} function.\n\n{code}"
        - "Write the rest of the following {language} code.\n\n{code}"
      test:
        - "Write unit tests for this {language} function.\n\n{code}"
        - "{code}\n\nWrite a short test for the {language} code above that also covers an edge \
           case."
      document:
        - "Write a documentation comment for this {language} function and return the whole \
           function with it.\n\n{code}"
        - "{code}\n\nAdd comments that explain the {language} code above."
      review:
        - "Review this {language} code and suggest one improvement, with the changed code.\n\n\
           {code}"
        - "Rewrite this {language} function so that it is easier to read.\n\n{code}"
    """#
}
