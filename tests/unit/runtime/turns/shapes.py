"""Chat templates of the shapes that model families have, written for these tests, each with what is odd in its family.

`{% generation %}` marks what the assistant says: the tests compare with it what is found without the marks.
"""

from typing import Final, NamedTuple

_CALLS = (
    "{% for call in message.tool_calls or [] %}<tool_call>\n"
    '{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}\n'
    "</tool_call>{% endfor %}"
)
_TOOLS = "{% if tools %}{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}{% endif %}"


class Shape(NamedTuple):
    """A template, and the texts of it that are one token."""

    template: str
    tokens: tuple[str, ...]


_CHATML = ("<|im_start|>", "<|im_end|>", "<think>", "</think>", "<tool_call>", "</tool_call>")

SHAPES: Final = {
    "plain turns": Shape(
        "{% if tools %}<|im_start|>system\n" + _TOOLS + "<|im_end|>\n{% endif %}"
        "{% for message in messages %}<|im_start|>{{ message.role }}\n"
        "{% if message.role == 'assistant' %}{% generation %}{{ message.content or '' }}" + _CALLS + "<|im_end|>\n"
        "{% endgeneration %}{% else %}{{ message.content }}<|im_end|>\n{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
        _CHATML,
    ),
    # The last answer gets an empty thought, earlier thoughts are dropped.
    "thoughts of the last turn": Shape(
        "{% if tools %}<|im_start|>system\n" + _TOOLS + "<|im_end|>\n{% endif %}"
        "{% set asked = namespace(last=-1) %}"
        "{% for message in messages %}{% if message.role == 'user' %}{% set asked.last = loop.index0 %}{% endif %}"
        "{% endfor %}"
        "{% for message in messages %}<|im_start|>{{ message.role }}\n"
        "{% if message.role == 'assistant' %}{% generation %}"
        "{% set text = message.content or '' %}{% set thought = message.reasoning_content or '' %}"
        "{% if '</think>' in text %}{% set thought = text.split('</think>')[0].split('<think>')[-1].strip() %}"
        "{% set text = text.split('</think>')[-1].lstrip('\n') %}{% endif %}"
        "{% if loop.index0 > asked.last and (loop.last or thought) %}<think>\n{{ thought }}\n</think>\n\n{% endif %}"
        "{{ text }}" + _CALLS + "<|im_end|>\n{% endgeneration %}"
        "{% else %}{{ message.content }}<|im_end|>\n{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
        _CHATML,
    ),
    # A question closes by itself, nothing asks; system prompt and tools stand before the last question, if it is last.
    "brackets": Shape(
        "{{ bos_token }}{% set found = namespace(system='', loops=messages) %}"
        "{% if messages[0].role == 'system' %}{% set found.system = messages[0].content %}"
        "{% set found.loops = messages[1:] %}{% endif %}"
        "{% for message in found.loops %}{% if message.role == 'user' %}"
        "{% if tools and loop.revindex0 < 2 %}[TOOLS] " + _TOOLS + "[/TOOLS]{% endif %}"
        "[INST] {% if loop.last and found.system %}{{ found.system + '\n\n' }}{% endif %}{{ message.content }}[/INST]"
        "{% elif message.role == 'tool' %}[RESULTS] {{ message.content }}[/RESULTS]"
        "{% elif message.role == 'assistant' %}{% generation %} {{ (message.content or '') | trim }}"
        "{% if message.tool_calls %}[CALLS] [{% for call in message.tool_calls %}{{ call.function | tojson }}"
        "{% endfor %}]{% endif %}{{ eos_token }}{% endgeneration %}{% endif %}{% endfor %}",
        ("<s>", "</s>", "[INST]", "[/INST]", "[TOOLS]", "[/TOOLS]", "[CALLS]", "[RESULTS]", "[/RESULTS]"),
    ),
    # Headers, trimmed texts; a message with calls has nothing else.
    "headers": Shape(
        "{{ bos_token }}{% for message in messages %}<|start_header|>"
        "{{ 'ipython' if message.role == 'tool' else message.role }}<|end_header|>\n\n"
        "{% if message.role == 'assistant' %}{% generation %}{% if message.tool_calls %}"
        "{% for call in message.tool_calls %}"
        '{"name": "{{ call.function.name }}", "parameters": {{ call.function.arguments | tojson(ensure_ascii=True) }}}'
        "{% endfor %}{% else %}{{ message.content | trim }}{% endif %}<|eot|>{% endgeneration %}"
        "{% else %}{{ message.content | trim }}<|eot|>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|start_header|>assistant<|end_header|>\n\n{% endif %}",
        ("<s>", "<|start_header|>", "<|end_header|>", "<|eot|>"),
    ),
    # The whole conversation has an end of its own, where the assistant is not asked to go on.
    "an end of all": Shape(
        "{% for message in messages %}{% if message.role == 'assistant' %}<|assistant|>\n{% generation %}"
        "{{ message.content or '' }}<|end|>\n{% if loop.last %}{{ eos_token }}{% endif %}{% endgeneration %}"
        "{% elif message.role in ('user', 'system') %}<|{{ message.role }}|>\n{{ message.content }}<|end|>\n"
        "{% if loop.last and not add_generation_prompt %}{{ eos_token }}{% endif %}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>\n{% endif %}",
        ("</s>", "<|assistant|>", "<|user|>", "<|system|>", "<|end|>"),
    ),
    # Thoughts are cut off, what asks opens one; calls are taken without a text and with arguments as text.
    "thoughts cut off": Shape(
        "{{ bos_token }}{% for message in messages %}"
        "{% if message.role == 'assistant' %}<|Assistant|>{% generation %}{% if message.content is none %}"
        "{% for call in message.tool_calls %}<|call|>{{ call['type'] + ' ' + call['function']['name'] + ' ' }}"
        "{{ call['function']['arguments'] + '<|end_call|>' }}{% endfor %}{{ eos_token }}"
        "{% else %}{{ message.content.split('</think>')[-1] }}{{ eos_token }}{% endif %}{% endgeneration %}"
        "{% elif message.role == 'user' %}<|User|>{{ message.content }}"
        "{% elif message.role == 'tool' %}<|Result|>{{ message.content }}<|end_result|>"
        "{% else %}{{ message.content }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|Assistant|><think>\n{% endif %}",
        ("<s>", "</s>", "<|Assistant|>", "<|User|>", "<|call|>", "<|end_call|>", "<|Result|>", "<|end_result|>"),
    ),
    # Roles alternate, the system prompt belongs to the first question.
    "alternating": Shape(
        "{{ bos_token }}{% set found = namespace(system='', loops=messages) %}"
        "{% if messages[0].role == 'system' %}{% set found.system = messages[0].content + '\n\n' %}"
        "{% set found.loops = messages[1:] %}{% endif %}"
        "{% for message in found.loops %}{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('roles must alternate') }}{% endif %}"
        "{% if message.role == 'assistant' %}<turn>model\n{% generation %}{{ message.content | trim }}<end>\n"
        "{% endgeneration %}{% else %}<turn>user\n{{ found.system if loop.first else '' }}{{ message.content | trim }}"
        "<end>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<turn>model\n{% endif %}",
        ("<s>", "<turn>", "<end>"),
    ),
    # The last turn ends otherwise than the others; thoughts are a message of their own.
    "channels": Shape(
        "{% for message in messages %}{% if message.role == 'assistant' %}<|start|>assistant{% generation %}"
        "{% if message.thinking %}<|channel|>analysis<|message|>{{ message.thinking }}<|end|><|start|>assistant"
        "{% endif %}{% if message.tool_calls %}{% for call in message.tool_calls %} to={{ call.function.name }}"
        "<|message|>{{ call.function.arguments | tojson }}<|call|>{% endfor %}"
        "{% else %}<|channel|>final<|message|>{{ message.content }}{{ '<|return|>' if loop.last else '<|end|>' }}"
        "{% endif %}{% endgeneration %}"
        "{% else %}<|start|>{{ message.role }}<|message|>{{ message.content }}<|end|>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|start|>assistant{% endif %}",
        ("<|start|>", "<|end|>", "<|return|>", "<|call|>", "<|channel|>", "<|message|>"),
    ),
    # No turn ends with anything; arguments are rendered name by name.
    "no ends": Shape(
        "[sop]{% for message in messages %}{% if message.role == 'assistant' %}<|assistant|>{% generation %}\n"
        "{% if message.reasoning_content %}<think>{{ message.reasoning_content }}</think>\n{% endif %}"
        "{{ (message.content or '') | trim }}{% for call in message.tool_calls or [] %}\n<call>{{ call.function.name }}"
        "{% for name, value in call.function.arguments.items() %}\n<key>{{ name }}</key>\n<value>"
        "{{ value if value is string else value | tojson }}</value>{% endfor %}\n</call>{% endfor %}{% endgeneration %}"
        "{% else %}<|{{ message.role }}|>\n{{ message.content }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}",
        ("<|assistant|>", "<|user|>", "<|system|>", "<|tool|>", "<call>", "</call>"),
    ),
    # Only the conversation as a whole is ended.
    "one end": Shape(
        "{% for message in messages %}<|{{ message.role }}|>{% if message.role == 'assistant' %}{% generation %}"
        "{{ message.content }}{% if loop.last %}{{ eos_token }}{% endif %}{% endgeneration %}"
        "{% else %}{{ message.content }}{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}",
        ("</s>", "<|assistant|>", "<|user|>", "<|system|>", "<|tool|>"),
    ),
}
